"""Autoscaling policy of ingest's replicas under Serve."""

from collections.abc import Sequence
from typing import Any

from deployments.autoscaling.demand_reader import DemandReader
from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.autoscaling.safe_policy import SafePolicy
from deployments.scaling.ingest import IngestScale, rate_of
from models.live import FleetStore

_READ_SECONDS = 2.0


class IngestScaler:
    """Scaler of ingest's replicas by what they measure, in an event loop that never waits for it.

    ``runtimes``: names of all; ``lease_seconds``: those of the settings' ``tasks``; ``least`` and
    ``most``: bounds of the replicas.
    """

    def __init__(
        self,
        store: FleetStore,
        *,
        runtimes: Sequence[str],
        lease_seconds: float,
        least: int,
        most: int,
    ) -> None:
        self._scale = IngestScale(least, most)
        self._readers = [
            DemandReader(runtime, store, lease_seconds, every=_READ_SECONDS) for runtime in runtimes
        ]

    def wanted(self, target: int, now: float) -> int:
        """Return the number of replicas to have now.

        As many as there were, while the demand on any runtime is not measured.

        ``target``: the number that was wanted until now; ``now``: seconds of a monotonic clock.
        """
        demands = [reader.demand(now) for reader in self._readers]
        known = [demand for demand in demands if demand is not None]
        if len(known) < len(demands):
            return target
        return self._scale.wanted(target, sum(map(rate_of, known)), now)


class IngestAutoscaler(SafePolicy):
    """Policy of ingest, with the arguments of an `IngestScaler`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self._arguments = arguments
        self._scaler: IngestScaler | None = None

    def _wanted(self, context: Any, target: int, now: float) -> int:
        if self._scaler is None:
            self._scaler = IngestScaler(RayFleetStore(context.app_name), **self._arguments)
        return self._scaler.wanted(target, now)
