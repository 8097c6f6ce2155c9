"""Reader of the demand on a runtime, for a caller that does not wait."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from deployments.autoscaling.background import Background
from models.fleet import Demand, merged
from models.live import FleetStore

_READ_SECONDS = 0.25
_STALE_SECONDS = 15.0


class DemandReader:
    """Reads what each ingest replica measures, each ``every`` seconds for as long as it is asked.

    An ingest replica measures until 15 s after its beat changed last. What one had leased that fell
    silent without a word counts on until ``lease_seconds`` have passed: then it is visible in the
    queue again. ``now``, wherever it is asked for: seconds of a monotonic clock.
    """

    def __init__(
        self, runtime: str, store: FleetStore, lease_seconds: float, *, every: float = _READ_SECONDS
    ) -> None:
        self._runtime = runtime
        self._store = store
        self._keep_seconds = max(lease_seconds, _STALE_SECONDS)
        self._reads = Background(f"read the demand of {runtime}", every)
        self._read_last: Mapping[str, Demand] = {}
        self._heard: dict[str, _Heard] = {}

    def demand(self, now: float) -> Demand | None:
        """Add up the demands read last; None while nobody measures any more, or perhaps not yet.

        One is believed once its beat was seen to change: it may be that of an ingest replica which
        is long gone. Where none knows all tasks, or those that speak drain, nobody measures.
        """
        self._reads.begin(partial(self._read, now), now)
        for ingest in self._heard.keys() - self._read_last.keys():
            del self._heard[ingest]
        for ingest, demand in self._read_last.items():
            self._heard.setdefault(ingest, _Heard(now)).hear(demand.beat, now)
        speaking = self._speaking(now)
        whole = merged(self._read_last[ingest] for ingest in speaking)
        if whole is None or not whole.is_known:
            return None
        # Of what a silent one saw in the queue nothing is known any more.
        visible = whole.visible
        silent = (
            replace(demand, waiting=demand.waiting - demand.visible + visible, visible=visible)
            for ingest, demand in self._read_last.items()
            if ingest not in speaking and now - self._heard[ingest].changed_at < self._keep_seconds
        )
        return merged([whole, *silent])

    def ingests(self, now: float) -> tuple[str, ...]:
        """Names of the ingest replicas that lease, sorted."""
        read = self._read_last
        return tuple(
            name for name in self._speaking(now) if name in read and not read[name].is_draining
        )

    def _speaking(self, now: float) -> tuple[str, ...]:
        """Names of the ingest replicas whose beat goes on, sorted."""
        heard = self._heard.items()
        return tuple(sorted(name for name, each in heard if now - each.changed_at < _STALE_SECONDS))

    async def _read(self, now: float) -> None:
        self._read_last = await self._store.demands(self._runtime)
        for ingest, each in list(self._heard.items()):
            silent = now - max(each.changed_at, each.since)
            if silent >= 2 * self._keep_seconds and self.ingests(now):
                await self._store.drop_demand(self._runtime, ingest)


@dataclass
class _Heard:
    """Beat of an ingest replica, as it was heard."""

    since: float
    """Time at which it was read first."""
    beat: int | None = None
    changed_at: float = -math.inf
    """Time at which it was seen to change last, as that of one which is long gone never is."""

    def hear(self, beat: int, now: float) -> None:
        if self.beat is not None and beat != self.beat:
            self.changed_at = now
        self.beat = beat
