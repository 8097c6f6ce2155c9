"""Mistakes in what follows from the number of ingest's replicas: settings, pods, one machine."""

from tests.mutants.mutant import Mutant

_SETTINGS = "tests/models/settings/test_ingest.py"
_GROUP = "tests/manifests/test_autoscaling.py"
_RULES = "tests/manifests/test_rules.py"
_LAPTOP = "tests/serve_app/local/test_ray_cluster.py"

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
)
