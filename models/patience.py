"""Patience: calls of a platform that is away are made again until it is back."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from models.backoff import Backoff
from models.errors import PublicationRefused, Unavailable

log = logging.getLogger("ray.serve.atelier")

Answer = TypeVar("Answer")

LONGEST_PAUSE = 1.0
"""Most seconds between two calls: an outage costs its own time, and so much more."""
_PAUSES = Backoff(first=0.1, longest=LONGEST_PAUSE)
_TOLD = 60
"""Failures of a call in a row that the log has; of further ones it has each sixtieth."""
_SECONDS = 900.0
DRAWN_SECONDS = 6 * 3_600.0
"""Seconds of patience with what was drawn, which to draw again costs more than to keep: half of the
longest that SQS keeps a message hidden."""


class Patience:
    """Makes calls again where they find the platform unavailable; each for a quarter of an hour.

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

    async def __call__(
        self, call: Callable[[], Awaitable[Answer]], seconds: float = _SECONDS
    ) -> Answer:
        """Make a call until it is answered; it must be one that may be made twice.

        Raises:
            PublicationRefused: at once; it is no outage.
            Unavailable: it was not answered in so many seconds, twice at least.
        """
        try:
            return await call()
        except PublicationRefused:
            raise
        except Unavailable as exc:
            self.failed(exc)
        self._trying += 1
        try:
            return await self._again(call, seconds)
        finally:
            self._trying -= 1

    async def _again(self, call: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        for failures in itertools.count(1):
            await asyncio.sleep(_PAUSES.pause(failures))
            try:
                return await call()
            except PublicationRefused:
                raise
            except Unavailable as exc:
                self.failed(exc, is_told=failures < _TOLD or failures % _TOLD == 0)
                if clock() >= end:
                    raise
        raise AssertionError  # the count has no end

    def failed(self, exc: Unavailable, *, is_told: bool = True) -> None:
        """Note that a call, in this way or another, found the platform unavailable."""
        self.outages += 1
        if is_told:
            log.warning("platform_unavailable", extra={"why": str(exc)})
