"""Settings that are taken and change nothing where they are read, each named with a remedy.

None is refused: the reference system's own files carry some, and a laptop and an account on AWS may
share a file. No value is quoted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from models.settings import Settings
from models.settings.browser_entry import BrowserEntry
from models.settings.cloud import Edge
from models.settings.groups import Runtime
from models.settings.reference_values import replaced, without_meaning
from models.settings.unused_scaling import (
    Unused,
    unstartable_here,
    unused_scaling_anywhere,
    unused_scaling_here,
    unused_scaling_on_aws,
)

_OF_AWS: Mapping[str, str] = {
    "cluster_components": "clusterComponents",
    "vpc": "vpc",
    "cluster": "cluster",
    "ray_cluster": "rayCluster",
    "images": "images",
    "storage": "storage",
    "edge": "edge",
    "front": "front",
    "alarms": "alarms",
}
"""Groups that only a deployment on AWS uses, with their keys."""
_OWN_CHART = "no runtime has a chart of its own; remove it"


def unused(settings: Settings) -> Sequence[str]:
    """Name the settings that change nothing anywhere, those of scaling left out."""
    return [
        remark for runtime in settings.models_runtime for remark in _of_runtime(settings, runtime)
    ]


def unused_anywhere(settings: Settings) -> Sequence[str]:
    """Name the settings that change nothing, on AWS or on any machine."""
    return [*unused(settings), *_of_replicas(settings, unused_scaling_anywhere)]


def unused_on_aws(settings: Settings) -> Sequence[str]:
    """Name the settings that change nothing in a deployment on AWS."""
    of_aws = (_of_files, _of_network, _of_storage, _of_doors, _of_images, _of_volumes)
    return [
        *unused(settings),
        *(remark for find in of_aws for remark in find(settings)),
        *_of_replicas(settings, unused_scaling_on_aws),
    ]


def unused_here(
    settings: Settings, gpus: int | None = None, cores: int | None = None
) -> Sequence[str]:
    """Name the settings, and runtimes, that change nothing on this machine: groups in one line.

    ``gpus`` and ``cores``: those of the machine; None if they are not known.
    """
    groups = [
        *(name for field, name in _OF_AWS.items() if _is_set(settings, field)),
        *(
            f"modelsRuntime[].{field}"
            for field in ("nodes", "pod")
            if any(_is_set(runtime, field) for runtime in settings.models_runtime)
        ),
        *(["APIGW.stageName"] if _is_set(settings.gateway, "stage_name") else []),
    ]
    remark = f"{', '.join(groups)}: no effect on this machine; `atelier aws deploy` uses them"
    scaling = _of_replicas(settings, lambda runtime: unused_scaling_here(runtime, gpus))
    runtimes = (
        _remark(f"modelsRuntime[{name}]", why)
        for name, why in unstartable_here(settings.models_runtime, gpus)
    )
    ingest = _of_ingest(settings, cores)
    return [*unused(settings), *runtimes, *scaling, *ingest, *([remark] if groups else [])]


def _of_runtime(settings: Settings, runtime: Runtime) -> Iterator[str]:
    path = f"modelsRuntime[{runtime.name}]"
    right = settings.ray_cluster.namespace
    if "namespace" in runtime.model_fields_set and runtime.namespace != right:
        remedy = "all pods are in rayCluster.namespace; set that, or remove this"
        yield _remark(f"{path}.namespace", remedy)
    if runtime.chart_repository:
        yield _remark(f"{path}.chartRepository", _OWN_CHART)
    if runtime.chart_version:
        yield _remark(f"{path}.chartVersion", _OWN_CHART)
    yield from _of_extra_values(f"{path}.extraValues", runtime)


def _of_extra_values(path: str, runtime: Runtime) -> Iterator[str]:
    names = without_meaning(runtime.extra_values)
    for name, own_remedy in names.items():
        if own_remedy is not None:
            yield _remark(f"{path}.{name}", own_remedy)
    if machinery := [name for name, own_remedy in names.items() if own_remedy is None]:
        remedy = "the reference's own machinery is not here; remove them"
        yield _remark(f"{path}: {', '.join(machinery)}", remedy)
    for name, own in replaced(runtime.extra_values, runtime):
        yield _remark(f"{path}.{name}", f"{own} says otherwise; remove one of them")


def _of_ingest(settings: Settings, cores: int | None) -> Iterator[str]:
    ingest = settings.ingest
    if cores is not None and ingest.most > cores:
        why = "so many cores are here, and under load each replica uses one"
        where = f"here beyond {cores}"
        yield _remark(f"ingest.{ingest.bound}", f"{why}; lower it, or keep it for AWS", where)


def _of_files(settings: Settings) -> Iterator[str]:
    if settings.checkpoints:
        bucket = "weights come from modelBucketArn or pod.existingClaim"
        yield _remark("checkpoints", f"{bucket}; remove it, or keep it for a laptop", "on AWS")
    if settings.api_keys_file:
        table = "keys are in a table (`atelier keys new NAME --aws`)"
        yield _remark("apiKeysFile", f"{table}; remove it, or keep it for a laptop", "on AWS")


def _of_network(settings: Settings) -> Iterator[str]:
    vpc = settings.vpc
    if vpc.id and _is_set(vpc, "nat_gateways"):
        yield _remark("vpc.natGateways", "the network of vpc.id has its own; remove it")
    if vpc.public_subnets:
        remedy = "the preflight looks at them, and nothing is put there; remove them"
        yield _remark("vpc.publicSubnets", remedy)


def _of_storage(settings: Settings) -> Iterator[str]:
    for field in ("model_bucket_key_arn", "checkpoint_cache"):
        if settings.model_bucket is None and _is_set(settings.storage, field):
            yield _remark(f"storage.{to_camel(field)}", "there is no modelBucketArn; remove it")


def _of_doors(settings: Settings) -> Iterator[str]:
    if not settings.edge.enabled:
        others = settings.edge.model_copy(update={"enabled": True})
        if others != Edge():
            yield _remark("edge", "edge.enabled is false; remove its other settings")
        if _is_set(settings.gateway, "stage_name"):
            yield _remark("APIGW.stageName", "edge.enabled is false; remove it")
    if not settings.front.enabled and settings.front != BrowserEntry():
        yield _remark("front", "front.enabled is false; set it, or remove its other settings")


def _of_images(settings: Settings) -> Iterator[str]:
    cluster, images = settings.ray_cluster, settings.images
    if images.repository and _is_set(images, "keep"):
        yield _remark("images.keep", "images.repository is somebody else's registry; remove it")
    if cluster.redis_address and _is_set(cluster, "redis_image"):
        yield _remark("rayCluster.redisImage", "redisAddress is used instead; remove one of them")


def _of_volumes(settings: Settings) -> Iterator[str]:
    for runtime in settings.models_runtime:
        nodes = runtime.nodes
        if nodes.image_cache == "soci" and _is_set(nodes, "data_volume"):
            path = f"modelsRuntime[{runtime.name}].nodes.dataVolume"
            remedy = "with imageCache: soci the node's own disks have the images; remove it,"
            yield _remark(path, f"{remedy} or set imageCache: none")


def _of_replicas(settings: Settings, find: Callable[[Runtime], Iterable[Unused]]) -> Iterator[str]:
    for runtime in settings.models_runtime:
        for path, why in find(runtime):
            yield _remark(f"modelsRuntime[{runtime.name}].{path}", why)


def _remark(path: str, why: str, where: str = "here") -> str:
    return f"{path}: no effect {where}: {why}"


def _is_set(group: BaseModel, field: str) -> bool:
    """Tell whether a setting has another value than its default."""
    return bool(getattr(group, field) != type(group).model_fields[field].default)
