"""Mistakes in what follows from the number of ingest's replicas: settings, pods, one machine."""

from tests.mutants.mutant import Mutant

_SETTINGS = "tests/models/settings/test_ingest.py"
_GROUP = "tests/manifests/test_autoscaling.py"
_RULES = "tests/manifests/test_rules.py"
_LAPTOP = "tests/serve_app/local/test_ray_cluster.py"
FLEET = "tests/ingest/test_fleet.py"
BOARDS = "tests/ingest/test_boards.py"
MERGED = "tests/models/test_fleet.py"
SEVERAL = "tests/serve_app/watching/test_several_boards.py"
SCALER = "tests/deployments/autoscaling/test_runtime_scaler.py"
SCALE = "tests/deployments/scaling/test_ingest.py"

MUTANTS = (
    Mutant(
        mistake="several replicas of ingest that all start on one core",
        file="cdk/manifests/serve_config.py",
        old="| {INGEST_CORE: 1}",
        new="| {INGEST_RESOURCE: 1}",
        tests=f"{_GROUP} {_RULES}",
    ),
    Mutant(
        mistake="a lone replica of ingest that waits for a core while another goes away",
        file="cdk/manifests/serve_config.py",
        old="if settings.ingest.most > 1:",
        new="if settings.ingest.most > 0:",
        tests="tests/manifests/test_serve_config.py",
    ),
    Mutant(
        mistake="pods of ingest that do not grow with its replicas",
        file="cdk/manifests/ray_service.py",
        old='"maxReplicas": most + 1,',
        new='"maxReplicas": least + 1,',
        tests=f"{_GROUP} {_RULES}",
    ),
    Mutant(
        mistake="no pod of ingest beside one that goes away",
        file="cdk/manifests/ray_service.py",
        old='"maxReplicas": most + 1,',
        new='"maxReplicas": most,',
        tests=_GROUP,
    ),
    Mutant(
        mistake="a pod for each replica of ingest, however many cores it has",
        file="cdk/manifests/ray_service.py",
        old="math.ceil(replicas / cores))",
        new="replicas)",
        tests=_GROUP,
    ),
    Mutant(
        mistake="a pool without GPUs that holds only the fewest pods of ingest",
        file="cdk/manifests/rules/sizes.py",
        old='group.spec["maxReplicas"] - 1 for group in ingest',
        new='group.spec["minReplicas"] for group in ingest',
        tests=_RULES,
    ),
    Mutant(
        mistake="a range of ingest's replicas that ends before it begins",
        file="models/settings/groups.py",
        old="if self.least > self.most:",
        new="if self.least > self.most + 64:",
        tests=_SETTINGS,
    ),
    Mutant(
        mistake="a number of ingest's replicas that silently wins over its range",
        file="models/settings/groups.py",
        old='"minReplicas": self.min_replicas, "maxReplicas": self.max_replicas}',
        new='"minReplicas": self.min_replicas}',
        tests=_SETTINGS,
    ),
    Mutant(
        mistake="more of ingest than a machine has cores, and nobody is told",
        file="models/settings/unused.py",
        old="ingest.most > cores:",
        new="ingest.most > 8 * cores:",
        tests=_SETTINGS,
    ),
    Mutant(
        mistake="a laptop that starts any number of ingest's replicas",
        file="models/settings/checks.py",
        old="if (most := settings.ingest.most) > _REPLICAS_A_CORE * machine.cores:",
        new="if (most := settings.ingest.most) > 64 * machine.cores:",
        tests=_SETTINGS,
    ),
    Mutant(
        mistake="a laptop's Ray with no place for ingest's last replicas",
        file="serve_app/local/ray_cluster.py",
        old="settings.ingress.replicas + settings.ingest.most",
        new="settings.ingress.replicas + 1",
        tests=_LAPTOP,
    ),
    Mutant(
        mistake="each ingest replica leases as much as if it were alone",
        file="ingest/fleet.py",
        old="divmod(places, len(ingests))",
        new="divmod(places, 1)",
        tests=FLEET,
    ),
    Mutant(
        mistake="tasks are moved in vain to replicas that another ingest keeps busy",
        file="ingest/fleet.py",
        old="spread(self._share(running, supply))",
        new="spread(running)",
        tests=FLEET,
    ),
    Mutant(
        mistake="each ingest replica leases all where the policy has just begun",
        file="ingest/fleet.py",
        old="supply.ingests or self._ingests",
        new="supply.ingests",
        tests=FLEET,
    ),
    Mutant(
        mistake="what is visible in the queue counts once for each ingest replica",
        file="models/fleet.py",
        old="sum(part.waiting - part.visible for part in parts)",
        new="sum(part.waiting for part in parts)",
        tests=MERGED,
    ),
    Mutant(
        mistake="an ingest whose tasks an outage hides is taken for gone",
        file="ingest/fleet.py",
        old="return replace(self._known or measured, is_known=False, beat=measured.beat)",
        new="return replace(self._known or measured, is_known=False)",
        tests=FLEET,
    ),
    Mutant(
        mistake="what an outage leaves is told as all that there is",
        file="ingest/fleet.py",
        old="is_known=False, beat",
        new="beat",
        tests=FLEET,
    ),
    Mutant(
        mistake="what a draining ingest has begun is no demand",
        file="ingest/fleet.py",
        old="while not self._draining or self.pace.holds:",
        new="while not self._draining:",
        tests=FLEET,
    ),
    Mutant(
        mistake="a draining ingest keeps its share of the leases",
        file="deployments/autoscaling/demand_reader.py",
        old="if name in read and not read[name].is_draining",
        new="if name in read",
        tests=SCALER,
    ),
    Mutant(
        mistake="an ingest that sees no queue decides how long it is",
        file="models/fleet.py",
        old="return self.is_known and not self.is_draining",
        new="return True",
        tests=SCALER,
    ),
    Mutant(
        mistake="a demand is forgotten while it is written",
        file="ingest/fleet.py",
        old="for look in looks:\n                    look.cancel()",
        new="for look in group._tasks:\n                    look.cancel()",
        tests=FLEET,
    ),
    Mutant(
        mistake="a cancel asks one ingest replica alone",
        file="ingest/boards.py",
        old="for live in there))",
        new="for live in list(there)[:1]))",
        tests=BOARDS,
    ),
    Mutant(
        mistake="a silent ingest replica is taken for one that holds nothing",
        file="ingest/boards.py",
        old="if silent and not any(answers):",
        new="if silent and not answers:",
        tests=BOARDS,
    ),
    Mutant(
        mistake="progress of a task that is at another ingest replica now is not told",
        file="serve_app/watching/mirror.py",
        old="self._believed, self.is_lost = board, False",
        new="self._believed, self.is_lost = self._believed or board, False",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="whoever speaks last of a task is believed, whatever attempt it is at",
        file="serve_app/watching/mirror.py",
        old="(is_latest or _is_end(event))",
        new="(is_latest or board)",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="the end of a task is not believed of a board with an earlier attempt",
        file="serve_app/watching/mirror.py",
        old="(is_latest or _is_end(event))",
        new="is_latest",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="a copy of a run is told under the attempt that it took itself for",
        file="ingest/run.py",
        old="if report.attempt > self.known.attempt + 1:",
        new="if report.attempt < self.known.attempt + 1:",
        tests="tests/ingest/test_run.py",
    ),
    Mutant(
        mistake="a call of each ingest replica for each task that somebody watches",
        file="serve_app/watching/board_stream.py",
        old="range(min(len(self._pending), _MOST_AT_ONCE))",
        new="range(1)",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="each watcher waits for an ingest replica that hangs",
        file="serve_app/watching/mirror.py",
        old="prompt = self.open - self.late",
        new="prompt = self.open",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="a board that never begins to answer is waited for without end",
        file="serve_app/watching/board_stream.py",
        old="asyncio.timeout(self._opening)",
        new="asyncio.timeout(None)",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="an ingest replica that drains is followed until it is killed",
        file="serve_app/watching/feed.py",
        old="tasks.pop(gone).cancel()",
        new="tasks.pop(gone)",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="where one ingest replica is lost the ledger is read as rarely as ever",
        file="serve_app/watching/timeline.py",
        old="return self.watcher.is_lost or is_untold or not self.feed.connected",
        new="return not self.feed.connected",
        tests=SEVERAL,
    ),
    Mutant(
        mistake="ingest grows no further than the most replicas less one",
        file="deployments/scaling/ingest.py",
        old="self.least), self.most)\n        if needed",
        new="self.least), self.most - 1)\n        if needed",
        tests=SCALE,
    ),
    Mutant(
        mistake="a replica of ingest goes in the first quiet moment",
        file="deployments/scaling/ingest.py",
        old="if now - self._calm_since < _CALM_SECONDS:",
        new="if now - self._calm_since < 0:",
        tests=SCALE,
    ),
)
