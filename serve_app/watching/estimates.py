"""Estimates of tasks' waits, and the state of the runtimes, as far as they are known."""

import asyncio
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from deployments.scaling import eta
from ingest.boards import Boards
from models.ledger import Ledger
from models.live import Pace
from models.report import Report, Stage, Status
from serve_app.context import Front
from serve_app.watching.cached import Cached
from serve_app.watching.phases import queued_phase, why_slow

_FARTHEST = 1_000  # a task that is queued behind so many has no known position


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Wait of a task that has not ended, as far as it is known."""

    position: int | None = None
    """Number of tasks that are queued before this one; None for one that runs."""
    eta_seconds: float | None = None
    """Estimate of the seconds until the task ends; None for one that runs."""
    phase: str | None = None
    """Phase in words: what the task waits for, or what its replica does."""
    why: str | None = None
    """Reason why the wait is long, in words; None where nothing is in the way."""


class Estimates:
    """Estimates from the ledger, the queues and ingest, each asked every few seconds at most.

    An answer that does not come within two seconds counts as not known.
    """

    def __init__(self, front: Front) -> None:
        self._feed = front.feed
        names, cache = front.runtimes.names, front.feed.intervals.cache
        self._paces: Cached[Mapping[str, Pace]] = Cached(Boards(front.feed.ingests).paces, cache)
        self._waiting = {
            name: Cached(partial(_list_waiting, front.ledger, name), cache) for name in names
        }
        self._backlogs = {name: Cached(partial(front.backlog, name), cache) for name in names}
        self._scaling = {each.name: front.scaling(each) for each in front.runtimes.configured}

    async def wait(self, report: Report, stage: Stage = Stage.RUNNING) -> Wait:
        """Estimate how long a task has to wait, and say for what; ``stage``: that of its run."""
        if report.status is Status.RUNNING:
            return Wait(phase=stage.value)
        if report.status is not Status.QUEUED:
            return Wait()
        position, pace = await asyncio.gather(
            self._position(report), self._pace_at_hand(report.runtime)
        )
        supply = pace.supply if pace else None
        return Wait(
            position=position,
            eta_seconds=self._eta(report.runtime, position, pace),
            phase=queued_phase(position, supply),
            why=why_slow(supply) if supply else None,
        )

    async def pace(self, runtime: str) -> Pace | None:
        paces = await self._paces()
        return paces.get(runtime) if paces else None

    async def backlog(self, runtime: str) -> int | None:
        return await self._backlogs[runtime]()

    async def _position(self, report: Report) -> int | None:
        waiting = self._waiting.get(report.runtime)
        before = await waiting() if waiting else None
        if before is None:
            return None
        position = bisect_left(before, report.created)
        if position == len(before):
            # It came after the last look at the ledger, as others may that are behind it.
            before.append(report.created)
        return position if position < _FARTHEST else None

    async def _pace_at_hand(self, runtime: str) -> Pace | None:
        """Return a runtime's pace; None while no ingest is heard: nobody waits for it."""
        self._feed.start()
        return await self.pace(runtime) if self._feed.heard else None

    def _eta(self, runtime: str, position: int | None, pace: Pace | None) -> float | None:
        if position is None or pace is None or pace.demand is None or pace.supply is None:
            return None
        seconds = eta(position, pace.demand, pace.supply, self._scaling[runtime])
        return None if seconds is None else round(seconds, 1)


async def _list_waiting(ledger: Ledger, runtime: str) -> list[float]:
    return list(await ledger.waiting(runtime, _FARTHEST))
