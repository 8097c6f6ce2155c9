"""A rule, and the objects that it looks at."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml

from cdk.manifests.base import Manifest

_UNITS = {
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "m": Decimal("0.001"),
}


@dataclass(frozen=True)
class Group:
    """A head or worker group of a Ray cluster."""

    name: str
    spec: Manifest

    @property
    def pod(self) -> Manifest:
        return dict(self.spec["template"]["spec"])

    @property
    def ray(self) -> Manifest:
        """The container that Ray runs in: the first one, always."""
        return dict(self.pod["containers"][0])

    @property
    def environment(self) -> Mapping[str, Any]:
        return {one["name"]: one.get("value") for one in self.ray.get("env", ())}

    @property
    def params(self) -> Mapping[str, str]:
        return dict(self.spec.get("rayStartParams") or {})

    def asked(self, resource: str) -> Decimal:
        """What the pod asks its node for."""
        return quantity(self.ray["resources"].get("requests", {}).get(resource, 0))

    def offered(self, resource: str) -> Decimal:
        """What Ray counts on: what it is told, else the limit, else what is asked for."""
        told = self.spec.get("resources", {})
        if resource == "cpu" and "CPU" in told:
            return quantity(told["CPU"])
        limits = self.ray["resources"].get("limits", {})
        return quantity(limits[resource]) if resource in limits else self.asked(resource)


@dataclass(frozen=True)
class Objects:
    """All objects of an installation."""

    manifests: list[Manifest]

    def of(self, kind: str) -> list[Manifest]:
        return [one for one in self.manifests if one["kind"] == kind]

    def named(self, kind: str) -> dict[str, Manifest]:
        return {one["metadata"]["name"]: one for one in self.of(kind)}

    @cached_property
    def service(self) -> Manifest:
        (found,) = self.of("RayService")
        return found

    @property
    def cluster(self) -> Manifest:
        return dict(self.service["spec"]["rayClusterConfig"])

    @cached_property
    def head(self) -> Group:
        return Group("head", self.cluster["headGroupSpec"])

    @cached_property
    def workers(self) -> list[Group]:
        return [Group(one["groupName"], one) for one in self.cluster["workerGroupSpecs"]]

    @property
    def name(self) -> str:
        return str(self.service["metadata"]["name"])

    @property
    def pods(self) -> list[tuple[str, Manifest]]:
        """The template of each, by the name of its group or set."""
        sets = [(one["metadata"]["name"], one["spec"]) for one in self.of("StatefulSet")]
        of_ray = [(group.name, group.spec) for group in self.groups]
        return [(name, spec["template"]) for name, spec in (*of_ray, *sets)]

    @property
    def groups(self) -> list[Group]:
        return [self.head, *self.workers]

    @cached_property
    def arguments(self) -> Manifest:
        """Of the Serve application."""
        config = yaml.safe_load(self.service["spec"]["serveConfigV2"])
        return dict(config["applications"][0]["args"])


def containers(objects: Objects) -> Iterator[tuple[str, Manifest]]:
    """Each container with its pod's name; the one that KubeRay adds to the head among them."""
    for name, pod in objects.pods:
        yield from ((name, container) for container in pod["spec"]["containers"])
    yield "head", {"name": "autoscaler", **objects.cluster.get("autoscalerOptions", {})}


@dataclass(frozen=True)
class Rule:
    name: str
    broken: Callable[[Objects], Iterator[str]]
    """Tells each place where it does not hold, and why that matters."""


def quantity(text: str | float) -> Decimal:
    """A quantity of Kubernetes as a number: cores, bytes, GPUs."""
    for unit, factor in _UNITS.items():
        if str(text).endswith(unit):
            return Decimal(str(text).removesuffix(unit)) * factor
    return Decimal(str(text))
