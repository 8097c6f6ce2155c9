"""Patches for running Ray clusters: changes that KubeRay makes to none, as far as can be done."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cli.aws.deploy.muted_fields import HEAD, Spec, changes
from cli.aws.deploy.spec_differences import differences
from cli.aws.installation import DEFAULT_NAME
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from cli.aws.sdk import AwsError, Conflict, ObjectMissing
from models.settings import Settings

_LOOKS = 8
"""Attempts to see KubeRay's reaction; it reconciles at once and every two seconds."""
_PAUSE = 2.0
_TRIES = 5
_SHOWN = 6


@dataclass(frozen=True)
class RayClusterPatcher:
    """Brings the running Ray clusters of a RayService to its spec where KubeRay does not."""

    cluster: Cluster
    settings: Settings
    note: Callable[[str], None]
    pause: float = _PAUSE

    def patch(self) -> None:
        """Patch the active and the pending Ray cluster; report what stays as it was.

        Safe to run again: where nothing differs, nothing is written. If one of the clusters
        refuses, the other is patched all the same. Waits up to 16 s for KubeRay to see the
        RayService, and tries each patch five times.

        Raises:
            ObjectMissing: there is no RayService.
            AwsError: the cluster does not answer, refuses, or changes at every try.
        """
        service = self._reconciled()
        wanted, names = service.wanted, (service.active, service.pending)
        steps = [partial(self._patch_cluster, name, wanted) for name in names if name]
        refused = [
            why for step in (*steps, partial(self._report, service)) if (why := _refusal_of(step))
        ]
        if refused:
            raise AwsError("; ".join(dict.fromkeys(refused)))

    def _reconciled(self) -> RayService:
        """Return the RayService once KubeRay has reconciled it, or after `_LOOKS` attempts.

        Before a cluster serves, KubeRay does not say that it has looked. What is patched too early
        is right all the same, for KubeRay writes nothing else.
        """
        service = RayService.of(self.cluster, self.settings)
        for _ in range(_LOOKS):
            if service.seen or service.given_up:
                break
            time.sleep(self.pause)
            service = RayService.of(self.cluster, self.settings)
        return service

    def _patch_cluster(self, name: str, wanted: Spec) -> None:
        """Patch what differs; retry if somebody else writes or deletes at the same time."""
        cause: AwsError | None = None
        for _ in range(_TRIES):
            # Not made yet, or about to go: KubeRay makes it by the newest spec by itself.
            changed = changes(self._spec(name) or wanted, wanted)
            if not changed:
                return
            try:
                operations = [operation for change in changed for operation in change.operations]
                self.cluster.patch(self._path(name), operations)
            except (Conflict, ObjectMissing) as exc:
                # Somebody has written since it was read, as the patch's own tests tell: once more.
                cause = exc
                time.sleep(self.pause)
                continue
            for change in changed:
                self.note(f"RayCluster {name}: {change.text}")
            return
        raise AwsError(f"RayCluster {name} changes all the time: {cause}") from cause

    def _report(self, service: RayService) -> None:
        """Report a pending cluster, and what KubeRay leaves unchanged, if it has looked."""
        if service.active and service.pending:
            self.note(f"RayCluster {service.pending} comes up beside {service.active}")
        if service.active and not service.seen:
            self.note(
                f"KubeRay has not looked at RayService {service.name} yet;"
                " run this again, to hear what it leaves as it was"
            )
        else:
            self._report_ignored(service)

    def _report_ignored(self, service: RayService) -> None:
        """Report what still differs on the cluster that KubeRay compares, and how to replace it."""
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
        """Return the cluster's spec; None if it is not made yet, or is being deleted.

        Raises:
            AwsError: the object has no spec of a RayCluster.
        """
        try:
            found = self.cluster.get(self._path(name))
        except ObjectMissing:
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


def _refusal_of(step: Callable[[], None]) -> str:
    """Run a step; return why it was refused, or an empty text."""
    try:
        step()
    except AwsError as exc:
        return str(exc)
    return ""
