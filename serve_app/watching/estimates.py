"""Estimates of queued tasks' waits, and the state of the runtimes, as far as they are known."""

from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from models.ports import Ledger, Pace
from models.report import Report, Status
from serve_app.runtimes import Runtimes
from serve_app.watching.cached import Cached
from serve_app.watching.feed import Feed

_FARTHEST = 1_000  # a task that is queued behind so many has no known position


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Wait of a queued task, as far as it is known."""

    position: int | None = None
    """Number of tasks that are queued before this one."""
    eta_seconds: float | None = None
    """Estimate of the seconds until the task ends."""


class Estimates:
    """Estimates from the ledger, the queues and ingest, each asked every few seconds at most.

    An answer that does not come within two seconds counts as not known.
    """

    def __init__(
        self,
        runtimes: Runtimes,
        ledger: Ledger,
        feed: Feed,
        backlog: Callable[[str], Awaitable[int]],
    ) -> None:
        self._runtimes = runtimes
        self._feed = feed
        cache = feed.intervals.cache
        self._paces: Cached[Mapping[str, Pace]] = Cached(feed.live.paces, cache)
        self._waiting: Mapping[str, Cached[Sequence[float]]] = {
            name: Cached(partial(ledger.waiting, name, _FARTHEST), cache) for name in runtimes.names
        }
        self._backlogs = {name: Cached(partial(backlog, name), cache) for name in runtimes.names}

    async def wait(self, report: Report) -> Wait:
        """Estimate how long a task has to wait; not known unless it is queued."""
        waiting = self._waiting.get(report.runtime)
        if waiting is None or report.status is not Status.QUEUED:
            return Wait()
        before = await waiting()
        if before is None:
            return Wait()
        position = bisect_left(before, report.created)
        if position >= _FARTHEST:
            return Wait()
        return Wait(position=position, eta_seconds=await self._eta(report.runtime, position))

    async def pace(self, runtime: str) -> Pace | None:
        paces = await self._paces()
        return paces.get(runtime) if paces else None

    async def backlog(self, runtime: str) -> int | None:
        return await self._backlogs[runtime]()

    async def _eta(self, name: str, position: int) -> float | None:
        self._feed.start()
        runtime = self._runtimes.named(name)
        # While ingest is not connected, nobody waits for its answer with every task.
        pace = await self.pace(name) if self._feed.connected else None
        if runtime is None or pace is None or pace.seconds is None:
            return None
        return round((position + 1) * pace.seconds / runtime.first_replicas, 1)
