"""Valkey that keeps the head's state, unless the settings name a Redis.

Its state outlives a restart of its container, not its pod: without it the head ends at once, and
the next one starts from nothing, all workers with it. Who needs more names a managed Redis.
"""

from cdk.manifests import security
from cdk.manifests.base import Manifest, labels, metadata
from cdk.manifests.pods import DO_NOT_DISRUPT, REDIS_PORT
from models.names import kube
from models.settings import Settings

_USER = 999
"""User of the image, who owns its /data (valkey-container: 8.1/alpine/Dockerfile, 2026-07)."""


def valkey(settings: Settings) -> list[Manifest]:
    """Build Valkey's Service and StatefulSet; nothing with `rayCluster.redisAddress`."""
    if settings.ray_cluster.redis_address is not None:
        return []
    return [_service(settings), _stateful_set(settings)]


def _service(settings: Settings) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(settings, kube.redis(settings.names), "redis"),
        "spec": {
            "selector": labels(settings, "redis"),
            "ports": [{"name": "redis", "port": REDIS_PORT, "targetPort": "redis"}],
        },
    }


def _stateful_set(settings: Settings) -> Manifest:
    """Build a StatefulSet of one pod: unlike a Deployment it never has two at once."""
    name = kube.redis(settings.names)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(settings, name, "redis"),
        "spec": {
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels(settings, "redis")},
            "template": {
                "metadata": {
                    "labels": labels(settings, "redis"),
                    "annotations": dict(DO_NOT_DISRUPT),
                },
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": security.pod(_USER) | {"fsGroup": _USER},
                    "containers": [_container(settings)],
                    "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}],
                },
            },
        },
    }


def _container(settings: Settings) -> Manifest:
    secret = {"name": kube.redis_secret(settings.names), "key": kube.REDIS_PASSWORD}
    # A connection is enough; a ping would need the password in the probe's command.
    asked = {"tcpSocket": {"port": "redis"}, "periodSeconds": 5}
    return {
        "name": "valkey",
        "image": settings.ray_cluster.redis_image,
        # Kubernetes itself puts the variable in; no shell runs.
        "args": ["--requirepass", "$(PASSWORD)", "--appendonly", "yes", "--dir", "/data"],
        "env": [{"name": "PASSWORD", "valueFrom": {"secretKeyRef": secret}}],
        "ports": [{"name": "redis", "containerPort": REDIS_PORT}],
        "readinessProbe": asked,
        "livenessProbe": asked | {"initialDelaySeconds": 30},
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": security.container() | {"readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
