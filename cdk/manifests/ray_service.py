"""RayService: the Ray cluster, and what Serve runs in it. For KubeRay 1.7 and Ray 2.60."""

import math
from collections.abc import Iterator, Mapping
from importlib.metadata import version

from cdk.manifests import pods, security
from cdk.manifests.base import Manifest, labels, metadata
from cdk.manifests.serve_config import (
    INGEST_CORE,
    INGEST_RESOURCE,
    RESOURCE_AMOUNT,
    runtime_resource,
    serve_config,
)
from models.capacity import pods_at_most, pods_of_ingest, replicas_of_pod
from models.errors import SettingsError
from models.names import kube
from models.settings import Runtime, Settings
from models.settings.nodes import Capacity

RAY = version("ray")
"""Version of Ray in the images: `constraints.txt` pins it for both."""
_PRIORITY = {"spot": 10, "on-demand": 0}
"""Priorities of worker groups: Ray tries the group with the higher one first."""
_INGEST_IDLE_SECONDS = 300
_UNNEEDED_SECONDS = 300
"""Time after which Ray gives up a pod that waits for a node and that nothing asks for any more."""


def ray_service(settings: Settings) -> Manifest:
    cluster = settings.ray_cluster
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": metadata(
            settings,
            kube.ray_service(settings.names),
            # After it KubeRay gives up for good: only a deleted RayService starts again.
            annotations={"ray.io/initializing-timeout": f"{cluster.ready_minutes}m"},
        ),
        "spec": {
            "upgradeStrategy": {"type": cluster.upgrade},
            "serveService": _serve_service(settings),
            "serveConfigV2": serve_config(settings),
            "rayClusterConfig": ray_cluster(settings),
        },
    }


def ray_cluster(settings: Settings) -> Manifest:
    return {
        "rayVersion": RAY,
        "authOptions": {"mode": "token"},  # KubeRay makes it, and a Secret of it
        "gcsFaultToleranceOptions": _fault_tolerance(settings),
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "upscalingMode": "Default",
            "idleTimeoutSeconds": _INGEST_IDLE_SECONDS,
            "env": _pending_limits(settings),
            "securityContext": security.container(),
            "resources": {
                "requests": {"cpu": "100m", "memory": "512Mi"},
                "limits": {"memory": "512Mi"},
            },
        },
        "headGroupSpec": {
            # Ray then places nothing here that asks for a CPU; its parameters are texts.
            "rayStartParams": {"num-cpus": "0"},
            "template": pods.head(settings),
        },
        "workerGroupSpecs": [_ingest(settings), *_runtimes(settings)],
    }


def head_budget(settings: Settings) -> Manifest:
    """Build the disruption budget: one head stays, so draining its node waits.

    Of pods that KubeRay made only `minAvailable` counts: for the other forms Kubernetes asks the
    owner how many there should be, and a RayCluster cannot say.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(settings, f"{kube.ray_service(settings.names)}-head"),
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels(settings, "head")}},
    }


def _pending_limits(settings: Settings) -> list[Manifest]:
    """Bound how long Ray waits for a pod: an hour, and for ever for one not needed, by itself.

    Raises:
        SettingsError: so long that nothing is left for a second start, on demand.
    """
    minutes, ready = settings.ray_cluster.start_minutes, settings.ray_cluster.ready_minutes
    if minutes >= min(ready, settings.alarms.starved_minutes):
        raise SettingsError(
            "rayCluster.startMinutes must be less than rayCluster.readyMinutes"
            " and alarms.starvedMinutes"
        )
    seconds = {
        "RAY_AUTOSCALER_RECONCILE_ALLOCATE_STATUS_TIMEOUT_S": 60 * minutes,
        "RAY_AUTOSCALER_PENDING_NODE_IDLE_TIMEOUT_S": _UNNEEDED_SECONDS,
    }
    return [{"name": name, "value": str(value)} for name, value in seconds.items()]


def _fault_tolerance(settings: Settings) -> Manifest:
    """Keep the head's state in Redis: without it every worker restarts with the head."""
    secret = {"name": kube.redis_secret(settings.names), "key": kube.REDIS_PASSWORD}
    own = f"{kube.redis(settings.names)}:{pods.REDIS_PORT}"
    return {
        "redisAddress": settings.ray_cluster.redis_address or own,
        "redisPassword": {"valueFrom": {"secretKeyRef": secret}},
    }


def _serve_service(settings: Settings) -> Manifest:
    """Describe the Service: it selects pods with a port named ``serve``, so the head alone.

    KubeRay would put every worker that is ready behind it, and only the head has a proxy.
    """
    port = {"name": "serve", "port": pods.SERVE_PORT, "targetPort": "serve"}
    return {
        "metadata": {"labels": labels(settings)},
        "spec": {"ports": [port]},
    }


def _ingest(settings: Settings) -> Manifest:
    """Build the group of the HTTP API and ingest: as many pods as ingest's replicas need cores."""
    cores = math.ceil(settings.ray_cluster.ingest_cpu)  # Ray counts whole ones
    least, most = pods_of_ingest(settings.ingest, settings.ray_cluster)
    places = {INGEST_RESOURCE: str(RESOURCE_AMOUNT), INGEST_CORE: str(cores)}
    # The HTTP API's are asked for by ingest and by what takes turns, too: only cores bound those.
    offered = _offered(settings.ingest.resources, cores)
    offered |= _offered(settings.ingress.resources, RESOURCE_AMOUNT)
    return {
        "groupName": "ingest",
        "replicas": least,
        "minReplicas": least,
        "maxReplicas": most + 1,  # one more while another goes away
        "idleTimeoutSeconds": _INGEST_IDLE_SECONDS,
        "rayStartParams": {},
        "resources": offered | {"CPU": str(cores)} | places,
        "template": pods.ingest(settings),
    }


def _runtimes(settings: Settings) -> Iterator[Manifest]:
    for runtime in settings.models_runtime:
        for capacity in runtime.nodes.capacity:
            yield _runtime(settings, runtime, capacity)


def _runtime(settings: Settings, runtime: Runtime, capacity: Capacity) -> Manifest:
    return {
        "groupName": kube.group(runtime.name, capacity),
        "replicas": 0,
        "minReplicas": 0,
        "maxReplicas": pods_at_most(runtime),
        "priority": _PRIORITY[capacity],
        "idleTimeoutSeconds": runtime.nodes.idle_seconds,
        "rayStartParams": {},
        "resources": _offered(runtime.resources, replicas_of_pod(runtime))
        | {runtime_resource(runtime.name): str(RESOURCE_AMOUNT)},
        "template": pods.runtime(settings, runtime, capacity),
    }


def _offered(asked: Mapping[str, float], replicas: int) -> dict[str, str]:
    """Return the resources of a pod with so many replicas that ask for these, in whole numbers."""
    return {name: str(math.ceil(amount) * replicas) for name, amount in asked.items()}
