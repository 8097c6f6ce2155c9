"""Work that a caller begins in the event loop and never waits for."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("ray.serve.atelier.autoscaler")

_SECONDS = 10.0
"""Longest that a piece of work may take; what it does then is given up."""


class Background:
    """Pieces of work, one at a time; what they raise is logged, once for a row of failures.

    ``what``: words for the log; ``every``: seconds from the beginning of one to that of the next.
    """

    def __init__(self, what: str, every: float) -> None:
        self._what = what
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._began = float("-inf")
        self._fails = False

    def begin(
        self, work: Callable[[], Awaitable[None]], now: float, *, early: bool = False
    ) -> bool:
        """Begin a piece of work, if none is under way and one is due; tell whether it was begun.

        ``now``: seconds of a monotonic clock; ``early``: do not wait until one is due.
        """
        is_due = early or now - self._began >= self._every
        if not is_due or (self._task is not None and not self._task.done()):
            return False
        self._began = now
        self._task = asyncio.get_running_loop().create_task(self._done(work))
        return True

    async def _done(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await work()
            self._fails = False
        except Exception as exc:  # noqa: BLE001 - whoever began it goes on without
            if not self._fails:
                log.warning("background_failed", extra={"what": self._what, "why": repr(exc)})
            self._fails = True
