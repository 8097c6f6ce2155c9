"""Fleet to which every task goes in its turn: by it a task's wait is judged."""

import math
from collections import deque
from dataclasses import dataclass

from deployments.routing.durations import Files, Need


@dataclass(eq=False)
class Turn:
    """Turn of a task in the imagined fleet."""

    came: float
    need: Need
    begins: float = math.inf
    """Moment at which it would begin, its load done; infinite until its turn has come."""


@dataclass(eq=False)
class _Server:
    """Imagined replica."""

    free: float
    """Moment from which it has nothing to do."""
    holds: Files | None = None


class FirstComeFleet:
    """Imagined fleet, in which the task that comes first has the replica that is free first.

    It gets the same tasks as the fleet that there is, has as many replicas, and loads what a task
    needs whenever its replica has something else. Other routers have their share of its time.
    """

    def __init__(self) -> None:
        self._routers = 1
        self._servers: list[_Server] = []
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
            self._servers.append(_Server(now))
        self._servers.sort(key=lambda server: server.free)
        del self._servers[replicas:]
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let all begin whose turn has come by now."""
        while self._turns and self._servers:
            server = min(self._servers, key=lambda server: server.free)
            if server.free > now:
                return
            turn = self._turns.popleft()
            load = 0.0 if server.holds == turn.need.files else turn.need.load
            begins = max(server.free, turn.came)
            turn.begins = begins + load
            server.free = begins + (load + turn.need.seconds) * self._routers
            server.holds = turn.need.files

    @property
    def next_turn(self) -> float:
        """Moment at which the next turn comes; infinite if none waits, or there is no replica."""
        if not self._turns:
            return math.inf
        return min((server.free for server in self._servers), default=math.inf)
