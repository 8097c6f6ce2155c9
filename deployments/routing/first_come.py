"""Fleet to which every task goes in its turn: by it a task's wait is judged."""

import heapq
import math
from collections import deque
from dataclasses import dataclass
from itertools import count

from deployments.routing.durations import Files, Need


@dataclass(eq=False)
class Turn:
    """Turn of a task in the imagined fleet."""

    came: float
    need: Need
    begins: float = math.inf
    """Moment at which it would begin, its load done; infinite until its turn has come."""


_Server = tuple[float, int, Files | None]
"""Imagined replica: the moment from which it has nothing to do, its number, what it has."""


class FirstComeFleet:
    """Imagined fleet, in which the task that comes first has the replica that is free first.

    It gets the same tasks as the fleet that there is, has as many replicas, and loads what a task
    needs whenever its replica has something else. Other routers have their share of its time.
    """

    def __init__(self) -> None:
        self._routers = 1
        self._servers: list[_Server] = []
        """Heap whose first is the one that is free first."""
        self._numbers = count()
        self._turns = deque[Turn]()
        """Turns that have not come."""

    def add(self, turn: Turn) -> None:
        """Give the fleet a task."""
        self._turns.append(turn)
        self.advance(turn.came)

    def resize(self, replicas: int, now: float, routers: int = 1) -> None:
        """Let the fleet have so many replicas from now on; those go that are free last.

        ``routers``: how many share it; each task takes that many times as long.
        """
        self.advance(now)
        self._routers = routers
        while len(self._servers) < replicas:
            heapq.heappush(self._servers, (now, next(self._numbers), None))
        if len(self._servers) > replicas:
            self._servers.sort()  # which leaves a heap
            del self._servers[replicas:]
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let all begin whose turn has come by now."""
        while self._turns and self._servers:
            free, number, holds = self._servers[0]
            if free > now:
                return
            turn = self._turns.popleft()
            need = turn.need
            load = 0.0 if holds == need.files else need.load
            begins = max(free, turn.came)
            turn.begins = begins + load
            free = begins + (load + need.seconds) * self._routers
            heapq.heapreplace(self._servers, (free, number, need.files))

    @property
    def next_turn(self) -> float:
        """Moment at which the next turn comes; infinite if none waits, or there is no replica."""
        return self._servers[0][0] if self._turns and self._servers else math.inf
