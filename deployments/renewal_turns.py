"""Turns of a runtime's replicas at being renewed, and the delay of a start after failures."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from models.backoff import Backoff

_TURN_SECONDS = 60.0  # many health checks, each of which takes the turn again
_BACKOFF = Backoff(first=1, longest=60)
_FORGIVEN_AFTER = 600.0  # seconds without a failure


class RenewalTurns(ABC):
    """Shared by the replicas of one runtime, so that at most one of them is renewed at a time."""

    @abstractmethod
    async def take(self, replica: str) -> bool:
        """Give a replica the turn, or keep it; False while another replica has it.

        A turn ends by itself 60 s after it was last taken.
        """

    @abstractmethod
    async def give_back(self, replica: str) -> None:
        """End a replica's turn; nothing happens if it has none."""

    @abstractmethod
    async def note_failure(self) -> None:
        """Count a replica that did not start, or broke."""

    @abstractmethod
    async def start_delay(self) -> float:
        """Tell for how many seconds a start has to wait.

        It doubles from 1 s to 60 s with each failure that follows another within 10 minutes, and
        counts from the last one.
        """


class MemoryTurns(RenewalTurns):
    """Turns in the memory of one process; ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holder = ""
        self._held_until = 0.0
        self._failures = 0
        self._last_failure = 0.0

    async def take(self, replica: str) -> bool:
        now = self._clock()
        # No lock: an actor's coroutines share one event loop, and nothing is awaited in here.
        if self._holder != replica and now < self._held_until:
            return False
        self._holder, self._held_until = replica, now + _TURN_SECONDS
        return True

    async def give_back(self, replica: str) -> None:
        if self._holder == replica:
            self._held_until = 0.0

    async def note_failure(self) -> None:
        now = self._clock()
        if now - self._last_failure > _FORGIVEN_AFTER:
            self._failures = 0
        self._failures, self._last_failure = self._failures + 1, now

    async def start_delay(self) -> float:
        return max(0.0, self._last_failure + _BACKOFF.pause(self._failures) - self._clock())
