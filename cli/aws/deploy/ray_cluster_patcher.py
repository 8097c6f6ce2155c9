"""Changes that KubeRay does not bring to a running Ray cluster, carried there; the rest is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cli.aws.deploy.muted_fields import HEAD, Spec, changes
from cli.aws.deploy.spec_differences import differences
from cli.aws.errors import AwsError, Conflict, Missing
from cli.aws.installation import DEFAULT_NAME
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from models.settings import Settings

_LOOKS = 8
"""Until KubeRay has surely seen what was applied: it looks at once, and every two seconds."""
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
            Missing: there is no RayService.
            AwsError: the cluster does not answer, or refuses, or changes all the time; what one
                of the Ray clusters refuses the other gets.
        """
        service = self._looked()
        wanted, names = service.wanted, (service.active, service.pending)
        steps = [partial(self._carry, name, wanted) for name in names if name]
        refused = [why for step in (*steps, partial(self._tell, service)) if (why := _tried(step))]
        if refused:
            raise AwsError("; ".join(dict.fromkeys(refused)))

    def _looked(self) -> RayService:
        """Return the RayService once KubeRay has done to its clusters what it does by itself.

        Not for ever: before a cluster serves, KubeRay does not say that it has looked. What is
        carried too early is right all the same, for KubeRay writes nothing else.
        """
        service = RayService.of(self.cluster, self.settings)
        for _ in range(_LOOKS):
            if service.seen or service.given_up:
                break
            time.sleep(self.pause)
            service = RayService.of(self.cluster, self.settings)
        return service

    def _carry(self, name: str, wanted: Spec) -> None:
        """Patch what differs; where somebody writes or deletes at the same time, look again."""
        why: AwsError | None = None
        for _ in range(_TRIES):
            found = changes(self._spec(name) or wanted, wanted)
            if not found:
                return
            try:
                operations = [each for change in found for each in change.operations]
                self.cluster.patch(self._path(name), operations)
            except (Conflict, Missing) as exc:
                why = exc
                time.sleep(self.pause)
                continue
            for change in found:
                self.note(f"RayCluster {name}: {change.text}")
            return
        raise AwsError(f"RayCluster {name} changes all the time: {why}") from why

    def _tell(self, service: RayService) -> None:
        """Name a cluster that comes up, and what KubeRay leaves as it was, if it has looked."""
        if service.active and service.pending:
            self.note(f"RayCluster {service.pending} comes up beside {service.active}")
        if service.active and not service.seen:
            self.note(
                f"KubeRay has not looked at RayService {service.name} yet;"
                " run this again, to hear what it leaves as it was"
            )
        else:
            self._tell_ignored(service)

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
        """Return its spec; None, where it is not made yet, or goes.

        Raises:
            AwsError: there is an object, and not one of KubeRay's making.
        """
        try:
            found = self.cluster.get(self._path(name))
        except Missing:
            return None
        if "deletionTimestamp" in (found.get("metadata") or {}):
            return None
        spec: Spec = found.get("spec") or {}
        if not spec.get(HEAD):
            raise AwsError(f"RayCluster {name} has no spec.{HEAD}")
        return spec

    def _path(self, name: str) -> str:
        namespace = self.settings.ray_cluster.namespace
        return f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters/{name}"


def _tried(step: Callable[[], None]) -> str:
    """Say why the step was refused; empty where it was not."""
    try:
        step()
    except AwsError as exc:
        return str(exc)
    return ""
