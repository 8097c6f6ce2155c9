"""Routers: which waiting task goes to which replica."""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Protocol

from bench.simulation.traces import Task


class Seat(Protocol):
    """Place of a replica that is free, as a router sees it."""

    @property
    def checkpoint(self) -> int | None:
        """Checkpoint that the replica has loaded."""


class Router(Protocol):
    """Line of waiting tasks, and the choice of the next one and its replica."""

    def add(self, task: Task) -> None:
        """Take a task in: a new one, or one that was begun and handed back."""

    def choose(self, free: Sequence[Seat]) -> tuple[Task, int] | None:
        """Take a task out, for the free replica with the number; None if none is to run now."""

    def oldest(self) -> float | None:
        """Return when the oldest waiting task was sent."""

    def __len__(self) -> int:
        """Count the waiting tasks."""


class Fifo:
    """Router of the first task to any free replica."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._line: deque[Task] = deque()

    def add(self, task: Task) -> None:
        insort(self._line, task, key=lambda each: each.sent)

    def choose(self, free: Sequence[Seat]) -> tuple[Task, int] | None:
        if not self._line or not free:
            return None
        return self._line.popleft(), self._random.randrange(len(free))

    def oldest(self) -> float | None:
        return self._line[0].sent if self._line else None

    def __len__(self) -> int:
        return len(self._line)
