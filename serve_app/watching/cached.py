"""Cache of one answer: it is asked for once, for all who want it within some seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from models.errors import Unavailable

T = TypeVar("T")

_DEADLINE = 2.0


class Cached(Generic[T]):
    """Cached answer to a question, asked again after ``seconds``.

    None, cached like any answer, if there was none within two seconds.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ask = ask
        self.seconds = seconds
        self.clock = clock
        self._answer: T | None = None
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    async def __call__(self) -> T | None:
        if self.clock() >= self._until:
            async with self._asking:
                if self.clock() >= self._until:  # else another caller asked while this one waited
                    self._answer = await self._asked()
                    self._until = self.clock() + self.seconds
        return self._answer

    async def _asked(self) -> T | None:
        try:
            async with asyncio.timeout(_DEADLINE):
                return await self.ask()
        except (Unavailable, TimeoutError):
            return None
