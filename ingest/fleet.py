"""Fleet: measures what the queue of each runtime asks for, and follows the replicas that there are.

What they make of one another is the scaling policy's, beyond the `FleetStore`.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ingest.paces import RuntimePace
from ingest.places import Places
from ingest.worker import Worker
from models.errors import Unavailable
from models.fleet import Demand, Supply, merged
from models.live import FleetStore
from models.patience import LONGEST_PAUSE

log = logging.getLogger("ray.serve.atelier.ingest")

_LONGEST_PAUSE = 0.5
"""Most seconds between two measurements."""
_SHORTEST_PAUSE = 0.25
"""Fewest seconds between them, however much changes."""
_ROOM_SECONDS = 2.0
"""Seconds of room for more after which what was visible in the queue has been received."""
_STALE_SECONDS = 15.0
_LOG_SECONDS = 60.0


@dataclass(kw_only=True, eq=False)
class RuntimeFleet:
    """Measures the demand on one runtime, and lets its worker follow the supply."""

    runtime: str
    ingest: str
    """Name of this ingest replica, beside which others may measure and lease."""
    worker: Worker
    places: Places
    pace: RuntimePace
    store: FleetStore
    admit: int
    """Tasks that a replica admits at once."""
    lookahead: int
    """Tasks to be leased beyond those."""
    most_replicas: int
    polling_seconds: float
    """Seconds between two looks at the length of the queue."""
    lease_seconds: float = 0
    """Seconds in which what an ingest before this one had leased comes back, if it was killed."""
    clock: Callable[[], float] = time.monotonic
    _began_at: float = field(default=-math.inf, init=False)
    _outages: int = field(default=0, init=False)
    """Outages that the worker had met when this was written last."""
    _outage_at: float = field(default=-math.inf, init=False)
    """Time at which the last of them was seen."""
    _ingests: tuple[str, ...] = field(default=(), init=False)
    """Names of the ingest replicas that measure, as the policy told them last."""
    _known: Demand | None = field(default=None, init=False)
    """Demand that counted all tasks last."""
    _draining: bool = field(default=False, init=False)
    _backlog: int = field(default=0, init=False)
    _full_at: float = field(default=-math.inf, init=False)
    """Time at which the worker was full of tasks last."""
    _beat: int | None = field(default=None, init=False)
    _heard_at: float = field(default=-math.inf, init=False)
    """Time at which the supply's beat changed last."""
    _logged_at: float = field(default=-math.inf, init=False)
    _logged: tuple[int, ...] = field(default=(), init=False)
    _failing: bool = field(default=False, init=False)

    async def follow(self) -> None:
        """Measure and follow, twice a second and at a change, until nothing is held in a drain."""
        self._began_at = self.clock()
        with suppress(Unavailable):  # it only comes to know less
            self.pace.recall(merged((await self.store.demands(self.runtime)).values()))
        while not self._draining or self.pace.holds:
            self.pace.changed.clear()
            await self._exchange()
            await asyncio.sleep(_SHORTEST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_PAUSE - _SHORTEST_PAUSE):
                    await self.pace.changed.wait()

    async def look(self) -> None:
        """Look at the length of the queue from time to time while more may wait there, for ever."""
        while True:
            if self._is_full_lately:
                with suppress(Unavailable):  # who receives from it says so
                    self._backlog = await self.worker.queue.backlog()
                await asyncio.sleep(self.polling_seconds)
            else:
                await asyncio.sleep(_SHORTEST_PAUSE)

    def drain(self) -> None:
        """Measure only what has begun, until that has ended."""
        self._draining = True
        self.pace.changed.set()

    async def forget(self) -> None:
        """Take this ingest's demand away: it measures no more."""
        with suppress(Unavailable):  # then it counts until the leases have lapsed
            await self.store.drop_demand(self.runtime, self.ingest)

    async def _exchange(self) -> None:
        """Write the demand and read the supply; where the store is away, all stays as it was."""
        demand = self._tellable(self.pace.measure(self._waiting_in_queue()))
        try:
            await self.store.write_demand(self.runtime, self.ingest, demand)
            supply = await self.store.supply(self.runtime)
        except Unavailable as exc:
            self._complain(exc)
            return
        self._failing = False
        if supply is not None and not self._draining:  # else nothing is leased any more
            self._take(supply)

    def _waiting_in_queue(self) -> int:
        """Count what waits in the queue for room; what there is room for is judged first.

        A message that is refused must not count, at zero replicas above all: where most of what is
        leased is no task yet, what follows may be none either. Nor must one that was received:
        SQS's own count may lag behind by a minute.
        """
        if self.worker.is_full and self.pace.tasks >= self.worker.capacity / 2:
            self._full_at = self.clock()
        if not self._is_full_lately:
            self._backlog = 0
        return self._backlog

    def _tellable(self, measured: Demand) -> Demand:
        """Return what may be told; where tasks may be hidden, what was known last, and that.

        Its beat goes on all the same: this ingest leases its share, and the policy reckons with it.
        """
        if self._draining:
            return replace(measured, is_draining=True)
        if self._may_be_all(measured.tasks):
            self._known = measured
            return measured
        return replace(self._known or measured, is_known=False, beat=measured.beat)

    def _may_be_all(self, tasks: int) -> bool:
        """Tell whether so many tasks at hand may be all that there are; else the policy holds on.

        Others are hidden in the queue by a lease of a killed ingest, or by one that came to nothing
        while a part of the platform was away: until it lapses, or it lapses and the worker, which
        pauses then, receives again.
        """
        now = self.clock()
        if self.worker.outages != self._outages:
            self._outages, self._outage_at = self.worker.outages, now
        if now - self._outage_at < self.lease_seconds + LONGEST_PAUSE:
            return tasks >= max(self._known.tasks if self._known else 0, 1)
        return tasks > 0 or now - self._began_at >= self.lease_seconds

    @property
    def _is_full_lately(self) -> bool:
        return self.clock() - self._full_at < _ROOM_SECONDS

    def _take(self, supply: Supply) -> None:
        self.pace.take(supply)
        self.worker.asleep = not supply.running
        if supply.beat != self._beat:
            self._beat, self._heard_at = supply.beat, self.clock()
        # Where nobody tells any more which replicas there are, Serve alone knows.
        is_stale = self.clock() - self._heard_at > _STALE_SECONDS
        running = len(supply.running)
        # Runs that have begun beyond one for each replica are at some that leave, and take no place
        # at the others. Where no other is there, none may be handed over when such a run ends.
        leaving = max(0, self.places.begun - running) if running else 0
        # At zero as with one: what is leased there is judged, and is with the first at once.
        replicas = min(max(running, 1), self.most_replicas)
        capacity = self._share(replicas * self.admit + self.lookahead, supply) + leaving
        # The router of the replicas' handle chooses among all that is leased.
        self.places.resize(math.inf if is_stale else capacity if running else 0)
        if not is_stale:
            # Runs of other ingests are not seen here: no more than a share may be moved to.
            self.places.spread(self._share(running, supply))
        if capacity != self.worker.capacity:
            self.worker.resize(capacity)
        self._log(supply)

    def _share(self, places: int, supply: Supply) -> int:
        """Return this ingest's share of places, at least one: others may be about to go."""
        # A policy that has just begun has heard of none.
        self._ingests = supply.ingests or self._ingests
        ingests = sorted({*self._ingests, self.ingest})
        share, rest = divmod(places, len(ingests))
        return max(1, share + (ingests.index(self.ingest) < rest))

    def _log(self, supply: Supply) -> None:
        """Log how the fleet stands, each minute and when it changes."""
        counts = (supply.wanted, len(supply.running), supply.starting)
        if counts == self._logged and self.clock() - self._logged_at < _LOG_SECONDS:
            return
        self._logged, self._logged_at = counts, self.clock()
        wanted, running, starting = counts
        waiting = self.pace.demand.waiting if self.pace.demand else 0
        fields = {"wanted": wanted, "running": running, "starting": starting, "waiting": waiting}
        log.info("fleet", extra={"runtime": self.runtime, **fields})

    def _complain(self, exc: Unavailable) -> None:
        if not self._failing:
            self._failing = True
            log.warning("fleet_unknown", extra={"runtime": self.runtime, "why": str(exc)})


class Fleet:
    """Loop over the fleets of all runtimes."""

    def __init__(self, fleets: Sequence[RuntimeFleet]) -> None:
        self.fleets = fleets
        self._draining = asyncio.Event()

    async def work(self) -> None:
        """Follow until `drain`, and then until what has begun has ended."""
        try:
            async with asyncio.TaskGroup() as group:
                for each in self.fleets:
                    group.create_task(each.follow())
                looks = [group.create_task(each.look()) for each in self.fleets]
                await self._draining.wait()
                for look in looks:
                    look.cancel()
        finally:
            await asyncio.gather(*(each.forget() for each in self.fleets))

    def drain(self) -> None:
        """Measure only what has begun: other ingest replicas measure, or the replicas stay."""
        for each in self.fleets:
            each.drain()
        self._draining.set()
