"""Waiting until a deployed platform serves, as far as the cluster can be asked from here."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.aws.errors import AwsError, Late, Missing
from cli.aws.kubernetes import Cluster
from cli.aws.sdk import Aws
from models import kube
from models.settings import Settings

_PAUSE = 10.0
_FRONT = ("Ingress", "Ingest")  # as `serve_app.app` calls them


@dataclass(frozen=True)
class Readiness:
    """Of the RayService of one installation."""

    aws: Aws
    settings: Settings
    note: Callable[[str], None]
    pause: float = _PAUSE

    def wait(self) -> None:
        """Until it serves; not at all where the cluster lets nobody ask.

        Raises:
            Late: it does not serve in the time that a new cluster may take, or KubeRay gave up.
            Missing: there is no such RayService, so it never will.
        """
        end = time.monotonic() + 60 * self.settings.ray_cluster.ready_minutes
        said = ""
        while True:
            try:
                now = self.look()
            except Missing:
                raise
            except AwsError as exc:
                self.note(f"{exc}; a picture will tell")
                return
            if now.serves and now.current:
                self.note(f"RayService {now.name} serves")
                return
            if now.given_up:
                raise Late(
                    f"KubeRay gave up on RayService {now.name}, for good;"
                    ' see "KubeRay gave up" in docs/operations.md'
                )
            if now.text != said:
                said = now.text
                self.note(f"RayService {now.name}: {said}")
            if time.monotonic() > end:
                raise Late(f"RayService {now.name} does not serve yet: {said}")
            time.sleep(self.pause)

    def look(self) -> "RayService":
        """How it is now."""
        name = kube.ray_service(self.settings)
        namespace = self.settings.ray_cluster.namespace
        path = f"/apis/ray.io/v1/namespaces/{namespace}/rayservices/{name}"
        return RayService(name, Cluster(self.aws, self.settings.stack_name).get(path))


@dataclass(frozen=True)
class RayService:
    """What Kubernetes says of one."""

    name: str
    said: Mapping[str, Any]

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.said.get("status") or {}
        return status

    @property
    def serves(self) -> bool:
        """KubeRay's own word for it, of the head's endpoint; and what stands behind that is up.

        Runtimes are not waited for: they start with the first task.
        """
        front = [how for name, how in self.deployments.items() if name in _FRONT]
        ready = self._condition("Ready").get("status") == "True"
        return ready and all(how == "HEALTHY" for how in front)

    @property
    def current(self) -> bool:
        """Whether KubeRay has seen what was applied last, and no old cluster answers for it.

        It writes each generation that it has seen: its conditions bear the number, too.
        """
        applied = self.said.get("metadata", {}).get("generation", 0)
        seen = self.status.get("observedGeneration", 0)
        return seen >= applied and self._condition("UpgradeInProgress").get("status") != "True"

    @property
    def given_up(self) -> bool:
        """Whether nothing that is applied to it will change it any more."""
        return self._condition("Ready").get("reason") == "InitializingTimeout"

    @property
    def deployments(self) -> Mapping[str, str]:
        """How each of Serve's deployments is, by its name."""
        active: Mapping[str, Any] = self.status.get("activeServiceStatus") or {}
        pending: Mapping[str, Any] = self.status.get("pendingServiceStatus") or {}
        apps = {**(pending.get("applicationStatuses") or {})}
        apps |= active.get("applicationStatuses") or {}
        return {
            name: one.get("status", "")
            for app in apps.values()
            for name, one in (app.get("serveDeploymentStatuses") or {}).items()
        }

    @property
    def text(self) -> str:
        """In a few words."""
        if self.serves:
            return "serves" if self.current else "serves as before; what is new comes up"
        why = self._condition("Ready").get("reason", "")
        waiting = [f"{name} {how}" for name, how in self.deployments.items() if how != "HEALTHY"]
        return ", ".join(filter(None, [why, *waiting])) or "just begun"

    def _condition(self, name: str) -> Mapping[str, str]:
        conditions: Sequence[Mapping[str, str]] = self.status.get("conditions") or ()
        return next((one for one in conditions if one["type"] == name), {})
