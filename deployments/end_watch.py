"""Watch over runs that block: what neither ends in time nor can be stopped breaks its replica."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.errors import RuntimeUnavailable

STOP_SECONDS = 60.0
"""Seconds in which a run ends that is stopped: between two steps, which are slow without a GPU."""


class Limit:
    """Limit of one run: a timer that is set anew with each part of it that has a deadline."""

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._seconds = seconds
        self._late = late
        self._timer: asyncio.TimerHandle | None = None

    def restart(self) -> None:
        self.end()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._late)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class EndWatch:
    """Notices runs of one replica that do not end.

    A call into a driver or a mount that hangs cannot be ended from within its process: the replica
    is broken then, and is to be replaced.
    """

    def __init__(self, stop_seconds: float = STOP_SECONDS) -> None:
        self._stop_seconds = stop_seconds
        self._why: str | None = None

    def check(self) -> None:
        """Raise if a run did not end.

        Raises:
            RuntimeUnavailable: says what was waited for.
        """
        if self._why is not None:
            raise RuntimeUnavailable(self._why)

    @contextmanager
    def limit(self, seconds: float, end: Callable[[], None]) -> Iterator[Limit]:
        """Give a run a limit beyond its deadline of so many seconds; past it, ``end`` is called."""

        def late() -> None:
            self._why = (
                f"the runtime did not stop within {self._stop_seconds:g} s of a deadline"
                f" of {seconds:g} s (tasks.deadlineSeconds)"
            )
            end()

        limit = Limit(seconds + self._stop_seconds, late)
        try:
            yield limit
        finally:
            limit.end()

    async def stopped(self, running: "asyncio.Task[Any]") -> None:
        """Cancel a run, and wait until it has ended, for so long as one may take to stop."""
        running.cancel()
        if self._why is None:
            await asyncio.wait([running], timeout=self._stop_seconds)
        if not running.done():
            self._why = self._why or (
                f"the runtime did not stop within {self._stop_seconds:g} s of a cancel"
            )
        elif not running.cancelled():
            running.exception()  # else asyncio would log that nobody asked for it
