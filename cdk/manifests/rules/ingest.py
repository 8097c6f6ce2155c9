"""Rules on the workers of the HTTP API and ingest: replicas find a place, and ingest cores."""

from collections.abc import Iterator
from decimal import Decimal

from cdk.manifests.rules.rule import Group, Objects, Rule
from cdk.manifests.serve_config import INGEST_CORE, INGEST_RESOURCE
from models.serve_replicas import CPUS
from models.settings.groups import Ingest


def _front_fits_workers(objects: Objects) -> Iterator[str]:
    """Find workers with too few cores for HTTP API and ingest, which may run nowhere else."""
    fronts, ingest = objects.arguments["ingress"].get("replicas", 1), _settings(objects)
    for group in _workers(objects):
        for pods, replicas in _bounds(group, ingest):
            there, wanted = group.offered("cpu") * pods, CPUS * (fronts + replicas)
            if wanted > there:
                yield (
                    f"{group.name}: {there} cores for ingress.replicas and ingest.replicas, which"
                    f" want {wanted} (rayCluster.ingestWorkers)"
                )


def _ingest_has_cores(objects: Objects) -> Iterator[str]:
    """Find several replicas of ingest that could start on one core, or that find no other.

    Ray reserves a tenth of a core for each, and under load each uses a whole one.
    """
    ingest = _settings(objects)
    if ingest.most == 1:
        return
    if not ingest.resources.get(INGEST_CORE):
        yield "ingest: all its replicas could start on one core"
    for group in _workers(objects):
        for pods, replicas in _bounds(group, ingest):
            cores = Decimal(group.spec["resources"].get(INGEST_CORE, 0)) * pods
            if replicas > cores:
                yield (
                    f"{group.name}: {replicas} replicas of ingest want a core each, and the pods"
                    f" have {cores} (rayCluster.ingestWorkers, ingest.replicas)"
                )


def _bounds(group: Group, ingest: Ingest) -> list[tuple[int, int]]:
    """Return the fewest pods and replicas of ingest, and the most, each pair once."""
    # Of the most pods one is there for another that goes away.
    few, many = group.spec["minReplicas"], group.spec["maxReplicas"] - 1
    return sorted({(few, ingest.least), (many, ingest.most)})


def _workers(objects: Objects) -> list[Group]:
    return [one for one in objects.workers if INGEST_RESOURCE in one.spec.get("resources", {})]


def _settings(objects: Objects) -> Ingest:
    return Ingest.read(objects.arguments.get("ingest", {}), under="ingest")


RULES = (
    Rule("front-fits-workers", _front_fits_workers),
    Rule("ingest-has-cores", _ingest_has_cores),
)
