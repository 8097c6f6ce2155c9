"""Rules of KubeRay 1.7: what it refuses, and what it takes and reads as something else."""

import re
from collections.abc import Iterator

from cdk.manifests.rules.rule import Group, Objects, Rule

_NAME = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_NAME_LENGTH = 47
# A duration as Go writes it, or digits alone.
_DURATION = re.compile(r"^(\d+(\.\d+)?(h|m|s|ms))+$|^\d+$")
_LABEL_KEY = re.compile(r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
_UPGRADES = ("NewCluster", "None", "NewClusterWithIncrementalUpgrade")
_REDIS_VARIABLES = ("REDIS_PASSWORD", "RAY_REDIS_ADDRESS", "REDIS_USERNAME")
_AUTOSCALER_V2 = "RAY_enable_autoscaler_v2"
_START_TIMEOUT = "RAY_AUTOSCALER_RECONCILE_ALLOCATE_STATUS_TIMEOUT_S"
_RESOURCE_PARAMS = ("num-cpus", "num-gpus", "memory", "resources")


def _ray_service_name(objects: Objects) -> Iterator[str]:
    name = objects.ray_service["metadata"]["name"]
    if len(name) > _NAME_LENGTH or not _NAME.match(name):
        yield f"{name}: at most {_NAME_LENGTH} of a-z, 0-9 and -, a letter first"


def _initializing_timeout(objects: Objects) -> Iterator[str]:
    key = "ray.io/initializing-timeout"
    text = objects.ray_service["metadata"].get("annotations", {}).get(key)
    if text is not None and (not _DURATION.match(text) or not re.search("[1-9]", text)):
        yield f"{key}: {text!r} is no duration such as 30m"


def _upgrade_strategy(objects: Objects) -> Iterator[str]:
    strategy = objects.ray_service["spec"].get("upgradeStrategy", {})
    kind = strategy.get("type", "NewCluster")
    if kind not in _UPGRADES:
        yield f"upgradeStrategy.type {kind!r}: one of {', '.join(_UPGRADES)}"
    if kind == _UPGRADES[2]:
        yield from _incremental(strategy.get("clusterUpgradeOptions") or {})


def _incremental(options: dict[str, int]) -> Iterator[str]:
    step, most = options.get("stepSizePercent", -1), options.get("maxSurgePercent", 100)
    if not 0 <= step <= most <= 100:  # noqa: PLR2004 - per cent
        yield "clusterUpgradeOptions: stepSizePercent must be at most maxSurgePercent"
    if options.get("intervalSeconds", 0) <= 0 or not options.get("gatewayClassName"):
        yield "clusterUpgradeOptions: intervalSeconds and gatewayClassName are needed"


def _replicas_in_order(objects: Objects) -> Iterator[str]:
    for group in objects.workers:
        spec = group.spec
        least, most = spec.get("minReplicas", 0), spec.get("maxReplicas", 0)
        if not 0 <= least <= spec.get("replicas", least) <= most:
            yield f"{group.name}: minReplicas {least}, maxReplicas {most} are not in order"


def _group_names_unique(objects: Objects) -> Iterator[str]:
    names = [group.name for group in objects.workers]
    yield from (
        f"{name} twice" for name in sorted({each for each in names if names.count(each) > 1})
    )


def _resources_said_once(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        if group.spec.get("resources") and any(
            key in group.ray_start_params for key in _RESOURCE_PARAMS
        ):
            yield f"{group.name}: resources and rayStartParams both say what Ray counts on"


def _group_labels(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        if "labels" in group.ray_start_params:
            yield f"{group.name}: labels stand beside rayStartParams, not in them"
        for key in group.spec.get("labels", {}):
            if not _LABEL_KEY.match(key):
                yield f"{group.name}: {key!r} is no label"


def _redis_by_options(objects: Objects) -> Iterator[str]:
    cluster, head = objects.ray_cluster, objects.head
    annotations = objects.ray_service["metadata"].get("annotations", {})
    options = cluster.get("gcsFaultToleranceOptions")
    if options is None:
        yield "no gcsFaultToleranceOptions: all workers start anew with the head"
        return
    for name in _REDIS_VARIABLES:
        if name in head.environment:
            yield f"{name}: in gcsFaultToleranceOptions, not in the head's environment"
    for key in ("redis-password", "redis-username"):
        if key in head.ray_start_params:
            yield f"{key}: in gcsFaultToleranceOptions, not in rayStartParams"
    for key in ("ray.io/ft-enabled", "ray.io/external-storage-namespace"):
        if key in annotations:
            yield f"{key}: not beside gcsFaultToleranceOptions"
    yield from _redis_there(objects, options.get("redisAddress", ""))


def _redis_there(objects: Objects, address: str) -> Iterator[str]:
    """Find an address that is not our own Redis, where we make one; another is not ours to see."""
    services = objects.named("Service").items()
    made = [f"{name}:{port['port']}" for name, one in services for port in one["spec"]["ports"]]
    if not address or (made and address not in made):
        yield f"redisAddress {address!r}: what is made is {', '.join(made) or 'none'}"


def _restart_policy_never(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        if group.pod.get("restartPolicy", "Never") != "Never":
            yield f"{group.name}: restartPolicy must be Never, or not set, with autoscaler v2"


def _autoscaler_v2(objects: Objects) -> Iterator[str]:
    cluster = objects.ray_cluster
    if not cluster.get("enableInTreeAutoscaling"):
        yield "enableInTreeAutoscaling is off: nothing would start a GPU"
    if cluster.get("autoscalerOptions", {}).get("version") != "v2":
        yield "autoscalerOptions.version: only v2 knows priority, and idle time by group"
    env = cluster.get("autoscalerOptions", {}).get("env", ())
    if _START_TIMEOUT not in [one["name"] for one in env]:
        yield f"{_START_TIMEOUT}: it would be an hour until on demand is tried for Spot"
    if _AUTOSCALER_V2 in objects.head.environment:
        yield f"{_AUTOSCALER_V2}: autoscalerOptions.version says it already"


def _times_not_negative(objects: Objects) -> Iterator[str]:
    delay = objects.ray_service["spec"].get("rayClusterDeletionDelaySeconds", 0)
    if delay < 0:
        yield f"rayClusterDeletionDelaySeconds: {delay} is negative"
    for group in objects.workers:
        if group.spec.get("idleTimeoutSeconds", 0) < 0:
            yield f"{group.name}: idleTimeoutSeconds is negative"


def _ray_version(objects: Objects) -> Iterator[str]:
    text = objects.ray_cluster.get("rayVersion", "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    if numbers < (2, 56):
        yield f"rayVersion {text!r}: priority needs 2.56, and a token 2.52"


def _token(objects: Objects) -> Iterator[str]:
    options = objects.ray_cluster.get("authOptions", {})
    if options.get("mode") != "token":
        yield "authOptions.mode: without a token any pod that gets in may run code"
    if options.get("enableK8sTokenAuth"):
        yield "authOptions.enableK8sTokenAuth: not for a RayService"


def _head_service_unnamed(objects: Objects) -> Iterator[str]:
    service = objects.ray_cluster["headGroupSpec"].get("headService", {})
    if service.get("metadata", {}).get("name"):
        yield "headService.metadata.name: KubeRay names it"


def _resource_not_a_gpu(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        for name in group.spec.get("resources", {}):
            if name.lower().endswith("gpu") and name != "GPU":
                yield f"{group.name}: KubeRay would read {name!r} as GPUs"


def _one_proxy(objects: Objects) -> Iterator[str]:
    """Find workers behind the Service that have no proxy.

    KubeRay puts every ready worker behind it, so a port's name has to select the head alone.
    """
    if not _has_port(objects.head):
        yield "head: no port named serve, and so no Service"
    ports = objects.ray_service["spec"].get("serveService", {}).get("spec", {}).get("ports", [])
    if [port.get("targetPort") for port in ports] != ["serve"]:
        yield "serveService: its port must lead to the one named serve, which the head alone has"
    yield from (
        f"{group.name}: a port named serve" for group in objects.workers if _has_port(group)
    )
    for group in objects.workers:
        path = group.ray_container.get("readinessProbe", {}).get("httpGet", {}).get("path")
        if path != "/api/healthz":
            yield f"{group.name}: KubeRay's own readinessProbe asks for a proxy, and never gets one"


def _has_port(group: Group) -> bool:
    return any(port.get("name") == "serve" for port in group.ray_container.get("ports", ()))


RULES = (
    Rule("ray-service-name", _ray_service_name),
    Rule("initializing-timeout", _initializing_timeout),
    Rule("upgrade-strategy", _upgrade_strategy),
    Rule("replicas-in-order", _replicas_in_order),
    Rule("group-names-unique", _group_names_unique),
    Rule("resources-said-once", _resources_said_once),
    Rule("group-labels", _group_labels),
    Rule("redis-by-options", _redis_by_options),
    Rule("restart-policy-never", _restart_policy_never),
    Rule("autoscaler-v2", _autoscaler_v2),
    Rule("times-not-negative", _times_not_negative),
    Rule("ray-version", _ray_version),
    Rule("token", _token),
    Rule("head-service-unnamed", _head_service_unnamed),
    Rule("resource-not-a-gpu", _resource_not_a_gpu),
    Rule("one-proxy", _one_proxy),
)
