"""Reader of a runtime's demand, for a caller that does not wait."""

from deployments.autoscaling.background import Background
from models.fleet import Demand
from models.live import FleetStore

_READ_SECONDS = 0.25
_STALE_SECONDS = 15.0


class DemandReader:
    """Reads the demand four times a second, for as long as it is asked for."""

    def __init__(self, runtime: str, store: FleetStore) -> None:
        self._runtime = runtime
        self._store = store
        self._reads = Background(f"read the demand of {runtime}", _READ_SECONDS)
        self._read_last: Demand | None = None
        self._beat: int | None = None
        self._changed: float | None = None

    def demand(self, now: float) -> Demand | None:
        """Return the demand read last; None while nobody measures any more, or perhaps not yet.

        That is so 15 s after its beat changed last; and before it was seen to change, since it may
        be that of an ingest which is long gone. ``now``: seconds of a monotonic clock.
        """
        self._reads.begin(self._read, now)
        if self._read_last is None:
            return None
        if self._read_last.beat != self._beat:
            self._changed = None if self._beat is None else now
            self._beat = self._read_last.beat
        is_fresh = self._changed is not None and now - self._changed < _STALE_SECONDS
        return self._read_last if is_fresh else None

    async def _read(self) -> None:
        self._read_last = await self._store.demand(self._runtime)
