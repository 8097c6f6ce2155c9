"""Time limits of a task: how long it may wait for a GPU, and until when it is wanted at all."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from models.errors import TaskExpired
from models.task import Task

_LONGEST_SLEEP = 30.0
"""Seconds after which the wall clock is looked at again: it may have been set."""


@dataclass(frozen=True, kw_only=True)
class TimeLimits:
    """Time limits of one task, as one delivery of it has them."""

    task: Task
    sent: float
    """Moment its message was sent, from which its ``ttl`` counts, in seconds since 1970."""
    clock: Callable[[], float]
    """Wall clock, in seconds since 1970."""

    def check(self, *, begun: bool) -> None:
        """Refuse a task whose time is over; one that has begun no longer has a ``ttl``.

        Raises:
            TaskExpired: it is.
        """
        now, ttl, deadline = self.clock(), self.task.ttl, self.task.deadline
        if deadline is not None and now >= deadline:
            what = "was not ready" if begun else "had not begun"
            raise TaskExpired(f"expired: it {what} at its deadline, {_written(deadline)}")
        if ttl is not None and not begun and now >= self.sent + ttl:
            raise TaskExpired(f"expired: it waited for longer than its ttl, {ttl:g} s")

    async def wait(self, begun: Callable[[], bool]) -> TaskExpired | None:
        """Wait until the time is over, and return the error that says so; None if there is no end.

        ``begun`` tells whether the task has begun.
        """
        while True:
            try:
                self.check(begun=begun())
            except TaskExpired as exc:
                return exc
            left = self._end(begun=begun()) - self.clock()
            if left == math.inf:
                return None
            # A sleep ends by another clock, and may do so a little early.
            await asyncio.sleep(min(max(left, 0.001), _LONGEST_SLEEP))

    def _end(self, *, begun: bool) -> float:
        ttl, deadline = self.task.ttl, self.task.deadline
        ends = [math.inf if deadline is None else deadline]
        if ttl is not None and not begun:
            ends.append(self.sent + ttl)
        return min(ends)


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
