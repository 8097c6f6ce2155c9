"""RayService of an installation, as the Kubernetes API describes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import AwsError
from models.names import kube
from models.settings import Settings

_FRONT = ("Ingress", "Ingest")  # names of deployments in `serve_app.app`


@dataclass(frozen=True)
class RayService:
    """State of a RayService."""

    name: str
    resource: Mapping[str, Any]

    @classmethod
    def of(cls, cluster: Cluster, settings: Settings) -> "RayService":
        """Read the RayService of these settings from the cluster.

        Raises:
            ObjectMissing: there is none.
            AwsError: the cluster does not answer, or refuses.
        """
        name, namespace = kube.ray_service(settings.names), settings.ray_cluster.namespace
        path = f"/apis/ray.io/v1/namespaces/{namespace}/rayservices/{name}"
        return cls(name, cluster.get(path))

    @property
    def wanted(self) -> Mapping[str, Any]:
        """Spec of the Ray cluster that is asked for.

        Raises:
            AwsError: the object has none, so it is no RayService.
        """
        wanted: Mapping[str, Any] = (self.resource.get("spec") or {}).get("rayClusterConfig") or {}
        if not wanted:
            raise AwsError(f"RayService {self.name} has no spec.rayClusterConfig")
        return wanted

    @property
    def active(self) -> str:
        """Name of the Ray cluster that serves; empty until one has served."""
        return self._cluster("activeServiceStatus")

    @property
    def pending(self) -> str:
        """Name of the Ray cluster that is coming up; empty if none is."""
        return self._cluster("pendingServiceStatus")

    @property
    def status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.resource.get("status") or {}
        return status

    @property
    def serves(self) -> bool:
        """Flag: KubeRay reports a ready head endpoint, and the HTTP API and ingest are healthy.

        Runtimes do not count: they start with their first task.
        """
        front = [how for name, how in self.deployments.items() if name in _FRONT]
        ready = self._condition("Ready").get("status") == "True"
        return ready and all(how == "HEALTHY" for how in front)

    @property
    def seen(self) -> bool:
        """Flag: KubeRay says that it has seen the newest spec.

        Once a Ray cluster serves, it says so as soon as it looks: its conditions bear the number.
        Before, the number alone is not written: it comes along with something else that changes,
        such as the name of a new cluster or how an application is, so False may say nothing.

        Source: github.com/ray-project/kuberay v1.7.0, in ray-operator/controllers/ray:
        `calculateConditions` in rayservice_controller.go, `InconsistentRayServiceStatuses` in
        utils/consistency.go; read on 2026-11-30.
        """
        applied: int = (self.resource.get("metadata") or {}).get("generation", 0)
        seen: int = self.status.get("observedGeneration", 0)
        return seen >= applied

    @property
    def current(self) -> bool:
        """Flag: KubeRay has seen the newest spec, and no former cluster answers any more."""
        return self.seen and self._condition("UpgradeInProgress").get("status") != "True"

    @property
    def up(self) -> bool:
        """Flag: the newest spec serves, by what KubeRay wrote last."""
        return self.serves and self.current

    @property
    def given_up(self) -> bool:
        """Flag: KubeRay has given up reconciling it, so no new spec takes effect."""
        return self._condition("Ready").get("reason") == "InitializingTimeout"

    @property
    def deployments(self) -> Mapping[str, str]:
        """State of each Serve deployment by its name.

        The active cluster's win over the pending one's.
        """
        active: Mapping[str, Any] = self.status.get("activeServiceStatus") or {}
        pending: Mapping[str, Any] = self.status.get("pendingServiceStatus") or {}
        apps = {**(pending.get("applicationStatuses") or {})}
        apps |= active.get("applicationStatuses") or {}
        return {
            name: deployment.get("status", "")
            for app in apps.values()
            for name, deployment in (app.get("serveDeploymentStatuses") or {}).items()
        }

    @property
    def text(self) -> str:
        """State in a few words."""
        if self.up:
            return f"serves on RayCluster {self.active}" if self.active else "serves"
        if self.serves:
            return "serves as before; what is new comes up"
        why = self._condition("Ready").get("reason", "")
        waiting = [f"{name} {how}" for name, how in self.deployments.items() if how != "HEALTHY"]
        return ", ".join(filter(None, [why, *waiting])) or "just begun"

    def _cluster(self, which: str) -> str:
        known: Mapping[str, Any] = self.status.get(which) or {}
        return str(known.get("rayClusterName") or "")

    def _condition(self, name: str) -> Mapping[str, str]:
        conditions: Sequence[Mapping[str, str]] = self.status.get("conditions") or ()
        return next((condition for condition in conditions if condition["type"] == name), {})
