"""Rules on pods: they end in time, run what they are asked for, and have no needless rights."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from cdk.manifests import checkpoints
from cdk.manifests.base import Manifest
from cdk.manifests.nodes import CAPACITY, GPU
from cdk.manifests.pods import DO_NOT_DISRUPT
from cdk.manifests.rules.rule import Group, Objects, Rule
from cdk.manifests.serve_config import INGEST_RESOURCE, runtime_resource
from models.errors import SettingsError
from models.serve_replicas import ingest_shutdown_seconds
from models.settings import Settings
from models.settings.credentials import credential_paths, is_credential
from models.settings.groups import Tasks

_DRAIN = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
_NOTICE = 120
"""Seconds from Spot's warning to the instance's end."""


def _drains_in_time(objects: Objects) -> Iterator[str]:
    """Find pods that do not end in order, or not in time.

    A replica drains first, then Ray stops, then Kubernetes kills, all before EC2 takes a Spot node.
    """
    served = objects.arguments.get("tasks", {}).get("drainSeconds", Tasks().drain_seconds)
    for group in objects.workers:
        # Where nothing is set, Ray and Kubernetes both take 30 seconds.
        ray = Decimal(group.environment.get(_DRAIN) or 30)
        pod = group.pod.get("terminationGracePeriodSeconds", 30)
        longest = served if _is_runtime(group) else ingest_shutdown_seconds(served)
        if not longest < ray < pod:
            yield f"{group.name}: replicas drain {longest:g} s, Ray {ray} s, the pod {pod} s"
        if _capacity(group) == "spot" and pod > _NOTICE:
            yield f"{group.name}: {pod} s are more than Spot's notice of {_NOTICE} s"


def _no_pre_stop(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        if group.ray_container.get("lifecycle", {}).get("preStop"):
            yield f"{group.name}: a preStop ends Ray before it has drained"


def _replica_fits_pod(objects: Objects) -> Iterator[str]:
    for runtime in objects.arguments["modelsRuntime"]:
        for group in _groups_of(objects, runtime["name"]):
            for what, key, default in (("cpu", "cpus", 1), (GPU, "gpus", 1)):
                wanted = runtime.get(key, default)
                if wanted > group.offered(what):
                    yield (
                        f"{group.name}: a replica wants {key}: {wanted:g}, and the pod has"
                        f" {group.offered(what)} {what}"
                    )


def _replicas_within_gpus(objects: Objects) -> Iterator[str]:
    for runtime in objects.arguments["modelsRuntime"]:
        groups = _groups_of(objects, runtime["name"])
        # Through a text, since as a float 0.1 is a little more than a tenth.
        each = Decimal(str(runtime.get("gpus", 1))) or Decimal(1)
        pods = [
            (max(group.requested(GPU), Decimal(1)), group.spec["maxReplicas"]) for group in groups
        ]
        most = min((int(gpus / each) * many for gpus, many in pods), default=0)
        for key, wanted in _least_replicas(runtime):
            if wanted > most:
                yield f"{runtime['name']}: {key}: {wanted}, and nodes.maxGpus allow {most}"


def _least_replicas(runtime: Manifest) -> Iterator[tuple[str, int]]:
    """Walk the settings that say how many replicas there are at least."""
    scaling = runtime.get("scaling", {})
    yield "replicas", runtime.get("replicas", 0)
    yield "scaling.minReplicas", scaling.get("minReplicas", 0)
    for number, window in enumerate(scaling.get("schedule", ())):
        yield f"scaling.schedule[{number}].minReplicas", window["minReplicas"]


def _settings_come_back(objects: Objects) -> Iterator[str]:
    """Find arguments that the application would refuse when it reads them as settings again.

    It would fail in the cluster, where nobody sees why.
    """
    try:
        Settings.read(args=objects.arguments)
    except SettingsError as exc:
        yield str(exc)


def _own_place(objects: Objects) -> Iterator[str]:
    """Find replicas that could start on another runtime's pods, or ingest beside a GPU.

    A runtime's pods alone have its image, and ingest would keep a GPU node up.
    """
    args = objects.arguments
    wanted = {one["name"]: one.get("resources", {}) for one in args["modelsRuntime"]}
    for name, resources in wanted.items():
        if runtime_resource(name) not in resources:
            yield f"{name}: a replica could start on any pod"
        if not _groups_of(objects, name):
            yield f"{name}: no group offers {runtime_resource(name)}"
    if INGEST_RESOURCE not in args.get("ingress", {}).get("resources", {}):
        yield "ingress: it could start on a GPU node, and keep it up"
    for group in objects.workers:
        if INGEST_RESOURCE in group.spec.get("resources", {}) and group.requested(GPU):
            yield f"{group.name}: ingest would run beside a GPU"
    if objects.head.ray_start_params.get("num-cpus") != "0":
        yield "head: num-cpus must be 0, else work runs on it"


def _no_credential(objects: Objects) -> Iterator[str]:
    for one in objects.of("Secret"):
        yield f"Secret {one['metadata']['name']}: its values are no manifest's business"
    for name, container in objects.containers:
        for variable in container.get("env", ()):
            if "value" in variable and is_credential(variable["name"]):
                yield f"{name}: {variable['name']} stands in its environment"
    yield from (f"serveConfigV2: {path}" for path in credential_paths(objects.arguments))


_NODE_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")


def _restricted(objects: Objects) -> Iterator[str]:
    for name, pod in objects.pods:
        yield from (f"{name}: {fault}" for fault in _pod_faults(pod["spec"]))
    for name, container in objects.containers:
        where = f"{name}: {container['name']}"
        yield from (f"{where} {fault}" for fault in _container_faults(container))


def _pod_faults(spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("runAsUser") == 0:
        yield "could run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "may make any system call (seccompProfile)"
    yield from (f"shares its node's own ({what})" for what in _NODE_NAMESPACES if spec.get(what))
    if any("hostPath" in volume for volume in spec.get("volumes", ())):
        yield "has its node's files (hostPath)"


def _container_faults(container: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield "runs as root"
    if context.get("privileged"):
        yield "may do all that its node may (privileged)"


def _references(objects: Objects) -> Iterator[str]:
    accounts, claims = objects.named("ServiceAccount"), objects.named("PersistentVolumeClaim")
    for group in objects.groups:
        account = group.pod.get("serviceAccountName")
        if account not in accounts:
            yield f"{group.name}: there is no ServiceAccount {account!r}"
        for wanted in _claims(group):
            # A claim of another name is the user's own, and not made here.
            if wanted.startswith(f"{objects.name}-checkpoints") and wanted not in claims:
                yield f"{group.name}: there is no PersistentVolumeClaim {wanted!r}"
    volumes = objects.named("PersistentVolume")
    for name, claim in claims.items():
        volume = volumes.get(claim["spec"]["volumeName"])
        if volume is None or volume["spec"]["claimRef"]["name"] != name:
            yield f"{name}: its volume is not kept for it"


def _checkpoints_read_only(objects: Objects) -> Iterator[str]:
    for name, volume in objects.named("PersistentVolume").items():
        if "read-only" not in volume["spec"].get("mountOptions", []):
            yield f"{name}: a runtime could write to the model bucket"
    for group in objects.workers:
        for mount in group.ray_container.get("volumeMounts", []):
            if not mount.get("readOnly"):
                yield f"{group.name}: {mount['name']} is mounted for writing"


def _weights_mounted(objects: Objects) -> Iterator[str]:
    for group in objects.workers:
        mounted = [one["mountPath"] for one in group.ray_container.get("volumeMounts", ())]
        if _is_runtime(group) and checkpoints.FOLDER not in mounted:
            yield f"{group.name}: no weights (modelBucketArn, or pod.existingClaim)"


def _budget_counts(objects: Objects) -> Iterator[str]:
    if not objects.of("PodDisruptionBudget"):
        yield "none: draining the head's node would not wait"
    for name, budget in objects.named("PodDisruptionBudget").items():
        if not isinstance(budget["spec"].get("minAvailable"), int):
            yield f"{name}: only a minAvailable in pods counts pods that KubeRay made"
        wanted = budget["spec"]["selector"]["matchLabels"]
        labels = objects.head.spec["template"]["metadata"]["labels"]
        if not wanted.items() <= labels.items():
            yield f"{name}: selects no head"


def _kept(objects: Objects) -> Iterator[str]:
    """Find pods that must stay and that Karpenter or Spot may take.

    The whole cluster goes down with the head or its state, and ingest holds the leases.
    """
    runtimes = [group.name for group in objects.workers if _is_runtime(group)]
    for name, pod in objects.pods:
        annotations = pod["metadata"].get("annotations", {})
        if name not in runtimes and not DO_NOT_DISRUPT.items() <= annotations.items():
            yield f"{name}: Karpenter may move it ({', '.join(DO_NOT_DISRUPT)})"
    for group in objects.groups:
        if group.name not in runtimes and not _off_spot(group.pod):
            yield f"{group.name}: could be on a Spot node"


def _off_spot(pod: Manifest) -> bool:
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = pod.get("affinity", {}).get("nodeAffinity", {}).get(required, {})
    terms = affinity.get("nodeSelectorTerms", [])
    not_spot = {"key": CAPACITY, "operator": "NotIn", "values": ["spot"]}
    return bool(terms) and all(not_spot in term["matchExpressions"] for term in terms)


def _token_of_kubernetes(objects: Objects) -> Iterator[str]:
    for name, pod in objects.pods:
        token = pod["spec"].get("automountServiceAccountToken")
        if name == objects.head.name and token is not True:
            yield f"{name}: the autoscaler beside it has no token to ask Kubernetes with"
        if name != objects.head.name and token is not False:
            yield f"{name}: has a token of Kubernetes that it does not need"


def _images_pinned(objects: Objects) -> Iterator[str]:
    for group in objects.groups:
        image = group.ray_container["image"]
        # Behind the last slash, since a registry's name may have a port.
        if ":" not in image.rpartition("/")[2] or image.endswith(":latest"):
            yield f"{group.name}: {image} has no version: replicas would differ"


def _groups_of(objects: Objects, runtime: str) -> list[Group]:
    """Return the worker groups that a runtime's replicas can run on."""
    wanted = runtime_resource(runtime)
    return [group for group in objects.workers if wanted in group.spec.get("resources", {})]


def _claims(group: Group) -> list[str]:
    found = (one.get("persistentVolumeClaim") for one in group.pod.get("volumes", ()))
    return [claim["claimName"] for claim in found if claim]


def _is_runtime(group: Group) -> bool:
    return INGEST_RESOURCE not in group.spec.get("resources", {})


def _capacity(group: Group) -> str | None:
    selector: Mapping[str, str] = group.pod.get("nodeSelector", {})
    return selector.get(CAPACITY)


RULES = (
    Rule("drains-in-time", _drains_in_time),
    Rule("no-pre-stop", _no_pre_stop),
    Rule("replica-fits-pod", _replica_fits_pod),
    Rule("replicas-within-gpus", _replicas_within_gpus),
    Rule("settings-come-back", _settings_come_back),
    Rule("own-place", _own_place),
    Rule("no-credential", _no_credential),
    Rule("restricted", _restricted),
    Rule("references", _references),
    Rule("checkpoints-read-only", _checkpoints_read_only),
    Rule("weights-mounted", _weights_mounted),
    Rule("budget-counts", _budget_counts),
    Rule("kept", _kept),
    Rule("token-of-kubernetes", _token_of_kubernetes),
    Rule("images-pinned", _images_pinned),
)
