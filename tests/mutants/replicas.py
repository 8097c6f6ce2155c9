"""Mistakes of replicas that come and go: under Serve's controller, at ingest, and as they leave."""

from tests.mutants.mutant import Mutant

SCALER = "tests/deployments/autoscaling/test_runtime_scaler.py"
STATE = "tests/deployments/autoscaling/test_start_state.py"
STARTS = "tests/deployments/autoscaling/test_starts.py"
DEPARTURE = "tests/deployments/test_departure.py"
PLACES = "tests/ingest/test_places.py"
FLEET = "tests/ingest/test_fleet.py"

MUTANTS = (
    Mutant(
        mistake="an autoscaler that raises stalls Serve's controller",
        file="deployments/autoscaling/safe_policy.py",
        old="            return target, {}\n",
        new="            raise\n",
        tests=SCALER,
    ),
    Mutant(
        mistake="the demand of an ingest that is long gone starts replicas",
        file="deployments/autoscaling/demand_reader.py",
        old="if self.beat is not None and beat != self.beat:",
        new="if beat != self.beat:",
        tests=SCALER,
    ),
    Mutant(
        mistake="a demand that nobody measures any more counts for ever",
        file="deployments/autoscaling/demand_reader.py",
        old="if now - each.changed_at < _STALE_SECONDS",
        new="if each.changed_at > -math.inf",
        tests=SCALER,
    ),
    Mutant(
        mistake="what a killed ingest had leased counts for ever",
        file="deployments/autoscaling/demand_reader.py",
        old="if now - self._heard[ingest].changed_at < self._keep_seconds",
        new="if self._heard[ingest].changed_at > -math.inf",
        tests=SCALER,
    ),
    Mutant(
        mistake="what a killed ingest had leased counts no longer than its beat",
        file="deployments/autoscaling/demand_reader.py",
        old="self._keep_seconds = max(lease_seconds, _STALE_SECONDS)",
        new="self._keep_seconds = _STALE_SECONDS",
        tests=SCALER,
    ),
    Mutant(
        mistake="a runtime that Serve has given up is never started again",
        file="deployments/autoscaling/runtime_scaler.py",
        old="return 0 if self._retry.is_now(self._start_state.given_up, now) else decision.wanted",
        new="return decision.wanted",
        tests=SCALER,
    ),
    Mutant(
        mistake="replicas that wait for a node and are not wanted are no longer looked for",
        file="deployments/autoscaling/runtime_scaler.py",
        old=" or not self._start_state.settled",
        new="",
        tests=SCALER,
    ),
    Mutant(
        mistake="a store that hangs gets ever more calls",
        file="deployments/autoscaling/background.py",
        old="if not is_due or (self._task is not None and not self._task.done()):",
        new="if not is_due:",
        tests=SCALER,
    ),
    Mutant(
        mistake="a start that is given up is measured as one",
        file="deployments/autoscaling/starts.py",
        old="        self._wanted = self._wanted[:missing]\n",
        new="",
        tests=STARTS,
    ),
    Mutant(
        mistake="replicas that a restarted controller finds again are measured as starts",
        file="deployments/autoscaling/runtime_scaler.py",
        old="        self._starts.skip(len(last.running))\n",
        new="",
        tests=SCALER,
    ),
    Mutant(
        mistake="a supply that has changed is told a second later",
        file="deployments/autoscaling/runtime_scaler.py",
        old=", early=supply != self._supply",
        new="",
        tests=SCALER,
    ),
    Mutant(
        mistake="starts that failed long ago delay the next try",
        file="deployments/autoscaling/runtime_scaler.py",
        old="            self._retry.forgive()\n",
        new="",
        tests=SCALER,
    ),
    Mutant(
        mistake="a failed update stops the replicas of the version before it",
        file="deployments/autoscaling/start_state.py",
        old='not any(one["state"] in _THERE for one in deployment["replicas"])',
        new="not starting",
        tests=STATE,
    ),
    Mutant(
        mistake="an update that fails is not told while replicas from before it run",
        file="deployments/autoscaling/runtime_scaler.py",
        old="state.obstacle or state.failure or self._failure",
        new="state.obstacle or self._failure",
        tests=SCALER,
    ),
    Mutant(
        mistake="a replica is killed that was never seen to wait for a node",
        file="deployments/autoscaling/start_state.py",
        old="{name for name in waited if",
        new="{name for name in unplaced if",
        tests=STATE,
    ),
    Mutant(
        mistake="a replica with a node is said to wait for one",
        file="deployments/autoscaling/start_state.py",
        old=" and not any(map(is_placed, starting))",
        new="",
        tests=STATE,
    ),
    Mutant(
        mistake="scale-in interrupts what was begun",
        file="deployments/departure.py",
        old="if begun or not self._leaves:",
        new="if not self._leaves:",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="a replica that is to go keeps what waits",
        file="deployments/departure.py",
        old="        return asyncio.get_running_loop().time()\n",
        new="        return self._drained\n",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="a replica goes because its controller was restarted",
        file="deployments/departure.py",
        old="_SURE = 2\n",
        new="_SURE = 1\n",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="a drained node has all the time that a task takes",
        file="deployments/departure.py",
        old="            self._drained = self._earlier(signs.node_seconds)\n",
        new="            self._drained = None\n",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="what was begun has longer than its node",
        file="deployments/departure.py",
        old="min(self._drain_seconds, max(node_seconds - _HAND_BACK_SECONDS, 0))",
        new="self._drain_seconds",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="a notice that comes after the node drains is not heard",
        file="deployments/departure.py",
        old="return moment if self._drained is None else min(self._drained, moment)",
        new="return moment if self._drained is None else self._drained",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="looks from before a replica counts are held against it",
        file="deployments/departure.py",
        old="misses = self._was_counted and not signs.listed",
        new="misses = not signs.listed",
        tests=DEPARTURE,
    ),
    Mutant(
        mistake="a run that was closed leaves its adapter at work",
        file="deployments/replica.py",
        old="            await asyncio.gather(running, return_exceptions=True)\n",
        new="",
        tests="tests/deployments/test_replica.py",
    ),
    Mutant(
        mistake="calls wait at Serve while no replica runs",
        file="ingest/places.py",
        old="while self._waiting and self._taken < self._count:",
        new="while self._waiting:",
        tests=PLACES,
    ),
    Mutant(
        mistake="a run that gave up keeps its place",
        file="ingest/places.py",
        old="                self._taken -= 1\n",
        new="                pass\n",
        tests=PLACES,
    ),
    Mutant(
        mistake="no task is run once nobody tells of replicas",
        file="ingest/fleet.py",
        old="math.inf if is_stale else",
        new="0 if is_stale else",
        tests=FLEET,
    ),
    Mutant(
        mistake="a run is handed to another replica before the first one has stopped it",
        file="serve_app/handles.py",
        old="                await _stopped(stream)\n",
        new="                pass\n",
        tests="tests/platform/test_scaled.py",
    ),
)
