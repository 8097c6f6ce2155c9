"""Replay of a trace on replicas: by `PendingTasks`, or in the order of the tasks."""

import heapq
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from deployments.routing import Candidate, Files, Need, PendingTasks

LOAD = 3.0
SECONDS = 0.3


@dataclass(frozen=True, eq=False)
class Sent:
    """Task of a trace."""

    at: float
    files: Files
    seconds: float = SECONDS


@dataclass(eq=False)
class Replica:
    """Replica that runs what it was given, one task after the other."""

    name: str
    admit: int
    given: deque[Sent] = field(default_factory=deque)
    """Tasks that it was given and has not ended; the first of them runs."""
    holds: Files = ()
    loads: int = 0

    @property
    def candidate(self) -> Candidate:
        holds = self.given[-1].files if self.given else self.holds
        return Candidate(frozenset(holds), len(self.given), self.admit, self.name)


class Replay:
    """Replay of tasks through `PendingTasks`, from the first to the last."""

    def __init__(self, tasks: Sequence[Sent], replicas: int, admit: int = 1) -> None:
        self.replicas = [Replica(f"{number}", admit) for number in range(replicas)]
        self.waits: dict[Sent, float] = {}
        """Seconds until each task began, its load with them."""
        self.idled_while_due = False
        """Flag: a replica had nothing to do while the first task that needs some files was due."""
        self._looks = set[float]()
        """Moments at which time alone changes the choice."""
        self.pending: PendingTasks[Sent] = PendingTasks()
        self.pending.resize(replicas, 0.0)
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        for task in tasks:
            self.at(task.at, lambda task=task: self._come(task))  # type: ignore[misc]
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()
            self._dispatch()

    @property
    def loads(self) -> int:
        """Loads of all replicas."""
        return sum(replica.loads for replica in self.replicas)

    def at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _come(self, task: Sent) -> None:
        self.pending.add(task, Need(task.files, task.seconds, LOAD), self.now)

    def _dispatch(self) -> None:
        for replica in self.replicas:
            self.pending.candidates.place(replica.candidate)
        while chosen := self.pending.choose(self.now):
            waiting, name = chosen
            replica = self.replicas[int(name)]
            replica.given.append(waiting.task)
            if len(replica.given) == 1:
                self._begin(replica)
            self.pending.candidates.place(replica.candidate)
        is_due = any(head.due <= self.now for head in self.pending.heads())
        idles = not all(replica.given for replica in self.replicas)
        self.idled_while_due = self.idled_while_due or (is_due and idles)
        moment = self.pending.changes(self.now)
        if moment < math.inf and moment not in self._looks:
            self._looks.add(moment)
            self.at(moment, lambda: None)

    def _begin(self, replica: Replica) -> None:
        task = replica.given[0]
        load = 0.0 if set(task.files) <= set(replica.holds) else LOAD
        replica.loads += bool(load)
        replica.holds = task.files
        self.waits[task] = self.now + load - task.at
        self.at(self.now + load + task.seconds, lambda: self._end(replica))

    def _end(self, replica: Replica) -> None:
        replica.given.popleft()
        if replica.given:
            self._begin(replica)


@dataclass(frozen=True)
class InTurn:
    """Outcome in a fleet whose first free replica takes the first task."""

    waits: Mapping[Sent, float]
    loads: int


def in_turn(tasks: Sequence[Sent], replicas: int) -> InTurn:
    """Let a fleet take the first task first."""
    free = [(0.0, number) for number in range(replicas)]
    holds: dict[int, Files] = {}
    waits, loads = {}, 0
    for task in tasks:
        moment, number = heapq.heappop(free)
        is_cold = not set(task.files) <= set(holds.get(number, ()))
        loads += is_cold
        begins = max(moment, task.at) + is_cold * LOAD
        holds[number] = task.files
        waits[task] = begins - task.at
        heapq.heappush(free, (begins + task.seconds, number))
    return InTurn(waits, loads)
