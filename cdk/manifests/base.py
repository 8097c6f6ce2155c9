"""What every object has: a name, where it is, and whose it is."""

from collections.abc import Mapping
from typing import Any

from models.names import kube
from models.settings import Settings

Manifest = dict[str, Any]

INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"


def labels(settings: Settings, component: str | None = None) -> dict[str, str]:
    """Of an object; with a component, of its pods."""
    of = {"app.kubernetes.io/part-of": "atelier", INSTANCE: kube.ray_service(settings.names)}
    return of | ({COMPONENT: component} if component else {})


def metadata(
    settings: Settings, name: str, component: str | None = None, **more: Mapping[str, str]
) -> Manifest:
    """In the namespace of the Ray cluster."""
    return {
        "name": name,
        "namespace": settings.ray_cluster.namespace,
        "labels": labels(settings, component),
        **{key: dict(value) for key, value in more.items()},
    }


def everywhere(settings: Settings, name: str) -> Manifest:
    """The metadata of an object that belongs to no namespace."""
    return {"name": name, "labels": labels(settings)}
