"""A rule, and the objects of an installation as rules look at them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml

from cdk.manifests.base import Manifest
from cdk.manifests.nodes import POOL
from models.quantities import quantity


@dataclass(frozen=True)
class Group:
    """A head or worker group of a Ray cluster."""

    name: str
    spec: Manifest

    @property
    def pod(self) -> Manifest:
        """Spec of the group's pods."""
        return dict(self.spec["template"]["spec"])

    @property
    def pool(self) -> str | None:
        """Name of the NodePool that the pods select; `None` for pods that run on any node."""
        selected: str | None = self.pod.get("nodeSelector", {}).get(POOL)
        return selected

    @property
    def ray_container(self) -> Manifest:
        """Container that Ray runs in: KubeRay takes the first one, whatever its name."""
        return dict(self.pod["containers"][0])

    @property
    def environment(self) -> Mapping[str, Any]:
        return {one["name"]: one.get("value") for one in self.ray_container.get("env", ())}

    @property
    def ray_start_params(self) -> Mapping[str, str]:
        return dict(self.spec.get("rayStartParams") or {})

    def requested(self, resource: str) -> Decimal:
        """Return what the pod requests of its node: cores, bytes, GPUs."""
        return quantity(self.ray_container["resources"].get("requests", {}).get(resource, 0))

    def offered(self, resource: str) -> Decimal:
        """Return what Ray schedules by: the group's resources, else the limit, else the request."""
        resources = self.spec.get("resources", {})
        if resource == "cpu" and "CPU" in resources:
            return quantity(resources["CPU"])
        limits = self.ray_container["resources"].get("limits", {})
        return quantity(limits[resource]) if resource in limits else self.requested(resource)


@dataclass(frozen=True)
class Objects:
    """The Kubernetes objects of an installation, one RayService among them."""

    manifests: list[Manifest]

    def of(self, kind: str) -> list[Manifest]:
        """Return the objects of a kind, such as ``NodePool``."""
        return [one for one in self.manifests if one["kind"] == kind]

    def named(self, kind: str) -> dict[str, Manifest]:
        """Return the objects of a kind by their names."""
        return {one["metadata"]["name"]: one for one in self.of(kind)}

    @cached_property
    def ray_service(self) -> Manifest:
        (found,) = self.of("RayService")
        return found

    @property
    def ray_cluster(self) -> Manifest:
        return dict(self.ray_service["spec"]["rayClusterConfig"])

    @cached_property
    def head(self) -> Group:
        return Group("head", self.ray_cluster["headGroupSpec"])

    @cached_property
    def workers(self) -> list[Group]:
        return [Group(one["groupName"], one) for one in self.ray_cluster["workerGroupSpecs"]]

    @property
    def name(self) -> str:
        """Name of the RayService."""
        return str(self.ray_service["metadata"]["name"])

    @property
    def pods(self) -> list[tuple[str, Manifest]]:
        """Pod templates with their metadata, by the name of their Ray group or StatefulSet."""
        sets = [(one["metadata"]["name"], one["spec"]) for one in self.of("StatefulSet")]
        groups = [(group.name, group.spec) for group in self.groups]
        return [(name, spec["template"]) for name, spec in (*groups, *sets)]

    @property
    def containers(self) -> Iterator[tuple[str, Manifest]]:
        """Containers by their pod's name, with the autoscaler that KubeRay adds to the head."""
        for name, pod in self.pods:
            yield from ((name, container) for container in pod["spec"]["containers"])
        yield "head", {"name": "autoscaler", **self.ray_cluster.get("autoscalerOptions", {})}

    @property
    def groups(self) -> list[Group]:
        return [self.head, *self.workers]

    @property
    def pooled(self) -> Iterator[tuple[str, Group, Manifest]]:
        """Worker groups that select an existing NodePool: its name, the group, the pool's spec."""
        pools = self.named("NodePool")
        for group in self.workers:
            if group.pool in pools:
                yield group.pool, group, pools[group.pool]["spec"]

    @property
    def volumes(self) -> Iterator[tuple[str, Manifest, Manifest]]:
        """Volumes of nodes: the EC2NodeClass's name, its spec, the block device mapping."""
        for name, found in self.named("EC2NodeClass").items():
            for volume in found["spec"].get("blockDeviceMappings", []):
                yield name, found["spec"], volume

    @cached_property
    def arguments(self) -> Manifest:
        """Settings that the Serve application is started with."""
        config = yaml.safe_load(self.ray_service["spec"]["serveConfigV2"])
        return dict(config["applications"][0]["args"])


@dataclass(frozen=True)
class Rule:
    """A condition that objects must meet, beyond what their schemas say."""

    name: str
    broken: Callable[[Objects], Iterator[str]]
    """Yields a line for each violation: the object, what is wrong, the setting that mends it."""
