"""Patience: calls of a platform that is away are made again until it is back."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from models.backoff import Backoff
from models.errors import Unavailable

log = logging.getLogger("ray.serve.atelier")

Answer = TypeVar("Answer")

LONGEST_PAUSE = 1.0
"""Most seconds between two calls: an outage costs its own time, and so much more."""
_PAUSES = Backoff(first=0.1, longest=LONGEST_PAUSE)
_SECONDS = 900.0


class Patience:
    """Makes calls again where they find the platform unavailable, for a quarter of an hour each.

    What was begun is kept meanwhile: a delivery is neither handed back nor counted anew.
    """

    def __init__(self) -> None:
        self.outages = 0
        """Calls so far that found the platform unavailable."""
        self._trying = 0
        """Calls that found it so, and are to be made again."""

    @property
    def is_tried(self) -> bool:
        """Flag: a call waits for the platform to be back."""
        return self._trying > 0

    async def __call__(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Make a call until it is answered; it must be one that may be made twice.

        Raises:
            Unavailable: it was not answered in a quarter of an hour.
        """
        try:
            return await call()
        except Unavailable as exc:
            self.failed(exc)
        self._trying += 1
        try:
            return await self._again(call)
        finally:
            self._trying -= 1

    async def _again(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        clock = asyncio.get_running_loop().time
        end = clock() + _SECONDS
        for failures in itertools.count(1):
            await asyncio.sleep(_PAUSES.pause(failures))
            try:
                return await call()
            except Unavailable as exc:
                self.failed(exc)
                if clock() >= end:
                    raise
        raise AssertionError  # the count has no end

    def failed(self, exc: Unavailable) -> None:
        """Note that a call, in this way or another, found the platform unavailable."""
        self.outages += 1
        log.warning("platform_unavailable", extra={"why": str(exc)})
