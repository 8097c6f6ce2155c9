"""Autoscaling policy of a runtime's replicas under Serve."""

from collections.abc import Mapping
from typing import Any

from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.autoscaling.runtime_scaler import RuntimeScaler
from deployments.autoscaling.safe_policy import SafePolicy
from deployments.autoscaling.start_watch import StartWatch
from models.settings.scaling import Scaling


class Autoscaler(SafePolicy):
    """Policy of one runtime.

    ``scaling``: the runtime's `Scaling` as JSON, with both bounds set; ``lease_seconds``: those of
    the settings' ``tasks``.
    """

    def __init__(self, scaling: Mapping[str, Any], lease_seconds: float) -> None:
        super().__init__()
        self._scaling = scaling
        self._lease_seconds = lease_seconds
        self._scaler: RuntimeScaler | None = None

    def _wanted(self, context: Any, target: int, now: float) -> int:
        # Made here, not when this is constructed: that may raise, too.
        self._scaler = self._scaler or self._made(context.app_name, context.deployment_name)
        running = [replica.unique_id for replica in context.running_replicas]
        return self._scaler.wanted(target, running, now)

    def _made(self, application: str, runtime: str) -> RuntimeScaler:
        return RuntimeScaler(
            runtime=runtime,
            rules=Scaling.model_validate(self._scaling),
            store=RayFleetStore(application),
            lease_seconds=self._lease_seconds,
            look=StartWatch(application, runtime).look,
        )
