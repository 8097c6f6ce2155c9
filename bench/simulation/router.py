"""Routers: which waiting task goes to which replica."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Protocol

from bench.simulation.traces import Task
from deployments.routing import Candidate, Durations, PendingTasks


class Seat(Protocol):
    """Replica as a router sees it."""

    @property
    def checkpoint(self) -> int | None:
        """Checkpoint that the replica has loaded."""


class Router(Protocol):
    """Waiting tasks, and the choice of the next one and its replica."""

    def add(self, task: Task, now: float) -> None:
        """Take a task in: a new one, or one that was begun and handed back."""

    def choose(
        self, free: Sequence[Seat], busy: Sequence[Seat], now: float
    ) -> tuple[Task, int] | None:
        """Take a task out, for the free replica with the number; None if none is to run now."""

    def changes(self, now: float) -> float:
        """Return the next moment at which time alone changes the choice; infinite: none does."""

    def ended(self, task: Task, load: float) -> None:
        """Note that a task has ended, and the seconds that its run loaded before."""

    def oldest(self) -> float | None:
        """Return when the oldest waiting task was sent."""

    def __len__(self) -> int:
        """Count the waiting tasks."""


class Fifo:
    """Router of the first task to any free replica."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._line: deque[Task] = deque()

    def add(self, task: Task, now: float) -> None:
        del now
        insort(self._line, task, key=lambda each: each.sent)

    def choose(
        self, free: Sequence[Seat], busy: Sequence[Seat], now: float
    ) -> tuple[Task, int] | None:
        del busy, now
        if not self._line or not free:
            return None
        return self._line.popleft(), self._random.randrange(len(free))

    def changes(self, now: float) -> float:
        del now
        return math.inf

    def ended(self, task: Task, load: float) -> None:
        """Learn nothing."""

    def oldest(self) -> float | None:
        return self._line[0].sent if self._line else None

    def __len__(self) -> int:
        return len(self._line)


class Affinity:
    """Router of `deployments.routing`: a task to a replica that has its checkpoint."""

    def __init__(self) -> None:
        self._durations = Durations()
        self._pending: PendingTasks[Task] = PendingTasks()
        self._sent: list[float] = []
        """Moments at which the waiting tasks were sent, in order."""

    def add(self, task: Task, now: float) -> None:
        insort(self._sent, task.sent)
        self._pending.add(task, self._durations.need(_files(task.checkpoint)), now)

    def choose(
        self, free: Sequence[Seat], busy: Sequence[Seat], now: float
    ) -> tuple[Task, int] | None:
        self._pending.resize(len(free) + len(busy), now)
        if not free:
            return None
        candidates = self._pending.candidates
        for number, (seat, runs) in enumerate(
            [*((seat, 0) for seat in free), *((seat, 1) for seat in busy)]
        ):
            files = frozenset(_files(seat.checkpoint))
            candidates.place(Candidate(files, runs, 1, str(number)))
        for number in range(len(free) + len(busy), len(candidates)):
            candidates.remove(str(number))
        if not (chosen := self._pending.choose(now)):
            return None
        waiting, name = chosen
        del self._sent[bisect_left(self._sent, waiting.task.sent)]
        return waiting.task, int(name)

    def changes(self, now: float) -> float:
        return self._pending.changes(now)

    def ended(self, task: Task, load: float) -> None:
        self._durations.ended(_files(task.checkpoint), task.seconds, load)

    def oldest(self) -> float | None:
        return self._sent[0] if self._sent else None

    def __len__(self) -> int:
        return len(self._pending)


def _files(checkpoint: int | None) -> tuple[str, ...]:
    return () if checkpoint is None else (str(checkpoint),)
