"""Metadata that every object has: name, namespace, labels."""

from collections.abc import Mapping
from typing import Any

from models.names import kube
from models.settings import Settings

Manifest = dict[str, Any]

INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"


def labels(settings: Settings, component: str | None = None) -> dict[str, str]:
    """Return an object's labels; those of a component select its pods."""
    own = {"app.kubernetes.io/part-of": "atelier", INSTANCE: kube.ray_service(settings.names)}
    return own | ({COMPONENT: component} if component else {})


def metadata(
    settings: Settings, name: str, component: str | None = None, **more: Mapping[str, str]
) -> Manifest:
    """Return the metadata of an object in the Ray cluster's namespace."""
    return {
        "name": name,
        "namespace": settings.ray_cluster.namespace,
        "labels": labels(settings, component),
        **{key: dict(value) for key, value in more.items()},
    }


def cluster_metadata(settings: Settings, name: str) -> Manifest:
    """Return the metadata of an object that belongs to no namespace."""
    return {"name": name, "labels": labels(settings)}
