"""Whose turn it is among a runtime's replicas, and how long a start waits after failures."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

_TURN_SECONDS = 60.0
_LONGEST_PAUSE = 60.0
_FORGIVEN_AFTER = 600.0


class Turns(ABC):
    """What the replicas of one runtime know of each other."""

    @abstractmethod
    async def take(self, replica: str) -> bool:
        """Whether it is this replica's turn; asked again it is kept, else it ends by itself."""

    @abstractmethod
    async def give_back(self, replica: str) -> None: ...

    @abstractmethod
    async def failed(self) -> None:
        """A replica did not start, or broke."""

    @abstractmethod
    async def pause(self) -> float:
        """Seconds that a start waits: longer with each failure in a row."""


class MemoryTurns(Turns):
    """For replicas that share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holder = ""
        self._until = 0.0
        self._failures = 0
        self._failed = 0.0

    async def take(self, replica: str) -> bool:
        now = self._clock()
        if self._holder != replica and now < self._until:
            return False
        self._holder, self._until = replica, now + _TURN_SECONDS
        return True

    async def give_back(self, replica: str) -> None:
        if self._holder == replica:
            self._until = 0.0

    async def failed(self) -> None:
        now = self._clock()
        if now - self._failed > _FORGIVEN_AFTER:
            self._failures = 0
        self._failures, self._failed = self._failures + 1, now

    async def pause(self) -> float:
        if not self._failures:
            return 0.0
        wait = min(_LONGEST_PAUSE, 2.0 ** min(self._failures, 10) / 2)
        return max(0.0, self._failed + wait - self._clock())
