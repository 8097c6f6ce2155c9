"""Changes that KubeRay does not bring to a running Ray cluster, carried there; the rest is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cli.aws.differences import differences
from cli.aws.errors import AwsError, Conflict, Missing
from cli.aws.kubernetes import Cluster
from cli.aws.muted import Spec, changes
from cli.aws.place import DEFAULT_NAME
from cli.aws.ray_service import RayService
from models.settings import Settings

_LOOKS = 30
"""Until KubeRay must have seen what was applied: it looks at once, and every two seconds."""
_PAUSE = 2.0
_TRIES = 5
_SHOWN = 6


@dataclass(frozen=True)
class Carrier:
    """Brings the Ray clusters of a RayService to what it asks for, as far as KubeRay does not."""

    cluster: Cluster
    settings: Settings
    note: Callable[[str], None]
    pause: float = _PAUSE

    def carry(self) -> None:
        """Carry to the cluster that serves, and to one that comes up; tell what stays as it was.

        Safe to run again: where nothing differs, nothing is written.

        Raises:
            AwsError: the cluster does not answer, or refuses, or changes all the time.
        """
        service = self._seen()
        for name in filter(None, (service.active, service.pending)):
            self._carry(name, service.wanted)
        if service.active and service.pending:
            self.note(f"RayCluster {service.pending} comes up beside {service.active}")
        self._tell_ignored(service)

    def _seen(self) -> RayService:
        """Return the RayService once KubeRay has done to its clusters what it does by itself.

        A cluster that it makes later is of what is asked for now.
        """
        for _ in range(_LOOKS):
            service = RayService.of(self.cluster, self.settings)
            if service.seen or service.given_up:
                return service
            time.sleep(self.pause)
        raise AwsError(f"KubeRay does not look at RayService {service.name}")

    def _carry(self, name: str, wanted: Spec) -> None:
        """Patch what differs; where somebody writes at the same time, look again."""
        why: Conflict | None = None
        for _ in range(_TRIES):
            found = changes(self._spec(name) or wanted, wanted)
            if not found:
                return
            try:
                operations = [each for change in found for each in change.operations]
                self.cluster.patch(self._path(name), operations)
            except Conflict as exc:
                why = exc
                continue
            for change in found:
                self.note(f"RayCluster {name}: {change.text}")
            return
        raise AwsError(f"RayCluster {name} changes all the time: {why}") from why

    def _tell_ignored(self, service: RayService) -> None:
        """Name what differs all the same on the cluster that KubeRay compares, and the remedy."""
        name = service.pending or service.active
        spec = self._spec(name) if name else None
        found = differences(spec, service.wanted) if spec else []
        if not found:
            return
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        why = " (rayCluster.upgrade: None)" if self.settings.ray_cluster.upgrade == "None" else ""
        self.note(
            f"KubeRay leaves RayCluster {name} as it was{why}; it differs from what is asked for"
            f" in {', '.join(found[:_SHOWN])}{more}. This makes it anew, while tasks wait:"
            f" {self._command(name)}"
        )

    def _command(self, name: str) -> str:
        stack = self.settings.stack_name
        which = "" if stack == DEFAULT_NAME else f" -n {stack}"
        namespace = self.settings.ray_cluster.namespace
        return f"atelier aws kubectl{which} -- delete raycluster {name} -n {namespace}"

    def _spec(self, name: str) -> Spec | None:
        """Return its spec; None, where it is not made yet, or goes."""
        try:
            found = self.cluster.get(self._path(name))
        except Missing:
            return None
        spec: Spec = found["spec"]
        return None if "deletionTimestamp" in found["metadata"] else spec

    def _path(self, name: str) -> str:
        namespace = self.settings.ray_cluster.namespace
        return f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters/{name}"
