"""Pod templates of the Ray cluster: the head, ingest's workers, and each runtime's workers."""

from collections.abc import Mapping

from cdk.manifests import checkpoints, security
from cdk.manifests.base import Manifest, labels
from cdk.manifests.nodes import CAPACITY, GPU, POOL, RUNTIME, size_of_pod, taints
from models.capacity import gpus_of_pod
from models.names import kube
from models.names.images import HEAD, image, image_of
from models.settings import Runtime, Settings
from models.settings.nodes import Capacity

SERVE_PORT = 8000
GCS_PORT = 6379
REDIS_PORT = 6379
DASHBOARD_PORT = 8265
METRICS_PORT = 8080
_AGENT_PORT = 52365  # Ray's default of --dashboard-agent-listen-port, on every node
# A node that is interrupted is taken after two minutes. The replica gets its `drainSeconds`, Ray
# a little longer to see that it is done, Kubernetes a little longer than Ray.
_RAY_GRACE = 15
_KUBERNETES_GRACE = 35
_HEAD_SECONDS = 60
DO_NOT_DISRUPT = {"karpenter.sh/do-not-disrupt": "true"}
"""Annotation by which Karpenter never takes a pod's node while the pod is there."""


def head(settings: Settings) -> Manifest:
    """Build the head's pod: it runs the cluster and Serve's proxy, and no work."""
    size = settings.ray_cluster
    ports = {"gcs-server": GCS_PORT, "dashboard": DASHBOARD_PORT, "serve": SERVE_PORT}
    container = {
        **_container(settings, "ray-head", image(settings, HEAD)),
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "resources": _resources(size.head_cpu, size.head_memory),
    }
    spec = {
        **_pod(settings, "head", container),
        # The autoscaler beside it asks Kubernetes for pods.
        "automountServiceAccountToken": True,
        "affinity": never_interrupted(),
        "terminationGracePeriodSeconds": _HEAD_SECONDS,
    }
    return _undisrupted(settings, "head", spec)


def ingest(settings: Settings) -> Manifest:
    """Build the pod of the HTTP API and ingest, on nodes without a GPU that are not Spot."""
    size = settings.ray_cluster
    drain = 2 * settings.tasks.drain_seconds  # for what is leased, then to hand it back
    container = {
        **_container(settings, "ray-worker", image(settings, HEAD), drain=drain),
        "envFrom": [_keys(settings)],
        "readinessProbe": ready(),
        "resources": _resources(size.ingest_cpu, size.ingest_memory),
    }
    spec = {
        **_pod(settings, "ingest", container),
        **_checkpoints(checkpoints.claim(settings), container),
        "affinity": never_interrupted(),
        "terminationGracePeriodSeconds": int(drain) + _KUBERNETES_GRACE,
    }
    return _undisrupted(settings, "ingest", spec)


def runtime(settings: Settings, runtime: Runtime, capacity: Capacity) -> Manifest:
    """Build the pod of one replica, or of those that share a GPU, on the runtime's own nodes."""
    pod, drain = runtime.pod, settings.tasks.drain_seconds
    exactly = _size(runtime)
    container = {
        **_container(settings, "ray-worker", image_of(settings, runtime), drain, pod.env),
        "imagePullPolicy": pod.image_pull_policy,
        "readinessProbe": ready(),
        # Kubernetes places by requests, Ray by limits: both have to mean the same.
        "resources": {"requests": exactly, "limits": exactly},
    }
    spec = {
        **_pod(settings, "runtime", container),
        **_checkpoints(checkpoints.claim(settings, pod.existing_claim), container),
        "nodeSelector": {POOL: kube.pool(settings.names, runtime.name), CAPACITY: capacity},
        "tolerations": [_tolerated(taint) for taint in taints(runtime)],
        "terminationGracePeriodSeconds": int(drain) + _KUBERNETES_GRACE,
    }
    # Ours last: network policies select pods by them.
    own = {**pod.labels, RUNTIME: kube.label(runtime.name), **labels(settings, "runtime")}
    annotations = {"annotations": dict(pod.annotations)} if pod.annotations else {}
    return {"metadata": {"labels": own, **annotations}, "spec": spec}


def _undisrupted(settings: Settings, component: str, spec: Manifest) -> Manifest:
    metadata = {"labels": labels(settings, component), "annotations": dict(DO_NOT_DISRUPT)}
    return {"metadata": metadata, "spec": spec}


def _pod(settings: Settings, component: str, container: Manifest) -> Manifest:
    return {
        "serviceAccountName": kube.service_account(settings.names, component),
        "automountServiceAccountToken": False,
        # Else each Service becomes variables (ATELIER_REDIS_SERVICE_HOST) that look like ours.
        "enableServiceLinks": False,
        "securityContext": security.pod(),
        "containers": [container],
    }


def _container(
    settings: Settings,
    name: str,
    image: str,
    drain: float | None = None,
    more: Mapping[str, str] | None = None,
) -> Manifest:
    env = {"AWS_REGION": settings.aws.region, **(more or {})}
    if drain is not None:
        # On SIGTERM `ray start --block` drains the node by itself; a `preStop` would only kill it.
        env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] = str(int(drain) + _RAY_GRACE)
    return {
        "name": name,
        "image": image,
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "securityContext": security.container(),
    }


def _resources(cpu: float, memory: int) -> Manifest:
    """Return requests and a limit of memory, and no limit of cores.

    A head that waits for its share of a core holds the whole cluster up.
    """
    return {
        "requests": {"cpu": f"{cpu:g}", "memory": f"{memory}Gi"},
        "limits": {"memory": f"{memory}Gi"},
    }


def _size(runtime: Runtime) -> Manifest:
    cpus, memory = size_of_pod(runtime)
    gpus = gpus_of_pod(runtime)
    return {
        "cpu": str(cpus),
        "memory": f"{memory}Gi",
        **({GPU: str(gpus)} if gpus else {}),
    }


def ready() -> Manifest:
    """Build the probe of Ray's agent on the pod.

    KubeRay's own probe asks for a Serve proxy on each worker, and only the head has one.
    """
    return {
        "httpGet": {"path": "/api/healthz", "port": _AGENT_PORT},
        "initialDelaySeconds": 10,
        "periodSeconds": 5,
        "timeoutSeconds": 2,
        "failureThreshold": 10,
    }


def _keys(settings: Settings) -> Manifest:
    """Build the source of the API keys' variables: a Secret.

    Without it the HTTP API refuses everybody, and SNS still works.
    """
    return {"secretRef": {"name": kube.keys_secret(settings.names), "optional": True}}


def never_interrupted() -> Manifest:
    """Require nodes that are not Spot; system nodes lack the label, and so match."""
    not_spot = {"key": CAPACITY, "operator": "NotIn", "values": ["spot"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [not_spot]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _checkpoints(claim: str | None, container: Manifest) -> Manifest:
    """Mount the checkpoints, and return the pod's volumes; nothing without a claim."""
    if claim is None:
        return {}
    name = checkpoints.VOLUME
    container["volumeMounts"] = [{"name": name, "mountPath": checkpoints.FOLDER, "readOnly": True}]
    return {
        "volumes": [{"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}]
    }


def _tolerated(taint: Manifest) -> Manifest:
    value = {"operator": "Equal", "value": taint["value"]} if "value" in taint else {}
    return {"key": taint["key"], "effect": taint["effect"], **(value or {"operator": "Exists"})}
