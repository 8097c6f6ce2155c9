"""Autoscaling policy of a runtime, which Serve's controller asks several times a second.

Serve carries this class to its controller by value, and what it imports by name.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.autoscaling.runtime_scaler import RuntimeScaler
from deployments.autoscaling.start_watch import StartWatch
from models.settings.scaling import Scaling

log = logging.getLogger("ray.serve.atelier.autoscaler")

_COMPLAINT_SECONDS = 60.0


class Autoscaler:
    """Policy of one runtime, to be named in Serve's `AutoscalingPolicy`.

    It raises nothing and waits for nothing: while a policy raises or blocks, Serve's controller
    deploys no application and replaces no replica. Whatever fails leaves the replicas as they are.

    ``scaling``: the runtime's `Scaling` as JSON, with both bounds set; ``lease_seconds``: those of
    the settings' ``tasks``.
    """

    def __init__(self, scaling: Mapping[str, Any], lease_seconds: float) -> None:
        self._scaling = scaling
        self._lease_seconds = lease_seconds
        self._scaler: RuntimeScaler | None = None
        self._complained = -math.inf

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of replicas for now; Serve's own notes are added to the other value."""
        target = int(context.target_num_replicas)
        now = time.monotonic()
        try:
            # Here, not when it is constructed: that may raise, too.
            self._scaler = self._scaler or self._made(context.app_name, context.deployment_name)
            running = [replica.unique_id for replica in context.running_replicas]
            return self._scaler.wanted(target, running, now), {}
        except Exception:
            if now - self._complained > _COMPLAINT_SECONDS:
                self._complained = now
                log.exception("autoscaler_broke", extra={"runtime": context.deployment_name})
            return target, {}

    def _made(self, application: str, runtime: str) -> RuntimeScaler:
        return RuntimeScaler(
            runtime=runtime,
            rules=Scaling.model_validate(self._scaling),
            store=RayFleetStore(application),
            lease_seconds=self._lease_seconds,
            look=StartWatch(application, runtime).look,
        )
