"""The same tasks on simulated replicas that several ingests share, each with a router of its own.

The routers and the replicas decide by the code that they run on Ray Serve; what they say takes a
time to arrive.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random

from bench.routed.outcome import Outcome, Routed, Setup
from bench.simulation.traces import Task, Tasks
from deployments.routing.admission import Admission
from deployments.routing.dispatcher import Dispatcher, Told
from deployments.routing.durations import Durations
from deployments.routing.requests import Refusal, RoutingRequest

_TOLD_SECONDS = 2.0
"""Seconds between two times that a replica tells what it has."""


@dataclass
class _Sent:
    """Task that an ingest has leased, and its number among all."""

    number: int
    task: Task
    request: RoutingRequest


@dataclass
class _Ingest:
    """Ingest: what it has leased, and what it may not yet."""

    dispatcher: Dispatcher = field(default_factory=Dispatcher)
    durations: Durations = field(default_factory=Durations)
    sent: dict[str, _Sent] = field(default_factory=dict)
    """Tasks by the ids of their sendings."""
    queue: deque[tuple[int, Task]] = field(default_factory=deque)
    leased: int = 0
    looks_at: float = math.inf


class _Replica:
    """Replica that takes one task after the other."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.holds: tuple[str, ...] = ()
        self.admission = Admission(name, lambda: self.holds, clock)
        self.admitted: deque[tuple[_Ingest, str, _Sent]] = deque()
        self.told = Told((), 0, 0)

    def tell(self) -> None:
        admission = self.admission
        self.told = Told(admission.files, admission.changes, admission.routers)


class SharedFleet:
    """Fleet of a fixed size, whose replicas several ingests share.

    ``latency``: mean of the seconds that what a router says takes to a replica, and back.
    """

    def __init__(self, tasks: Tasks, setup: Setup, ingests: int, latency: float = 0.005) -> None:
        self._setup = setup
        self._tasks = tasks
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._latency = latency
        self._random = Random(setup.seed)
        self._arrived: dict[tuple[str, str], float] = {}
        """Moment at which the last sending of each router arrives at each replica."""
        names = [f"replica {number}" for number in range(setup.replicas)]
        self._replicas = {name: _Replica(name, lambda: self._now) for name in names}
        self.ingests = [_Ingest() for _ in range(ingests)]
        self._capacity = (setup.replicas * setup.admit + setup.lookahead) // ingests
        self.waits: dict[int, float] = {}
        """Seconds from the sending of each task, by its number, to its begin, its load done."""
        self._ended = 0.0
        self.loads = 0
        self.refusals = 0

    def run(self) -> Outcome:
        """Follow the tasks to their end."""
        for number, task in enumerate(self._tasks):
            ingest = self.ingests[number % len(self.ingests)]
            self._at(task.sent, partial(self._come, ingest, number, task))
        self._tell()
        while self._events and len(self.waits) < len(self._tasks):
            self._now, _, event = heapq.heappop(self._events)
            event()
        return self.routed.outcome

    @property
    def routed(self) -> Routed:
        """Trace as it was routed, once it is followed."""
        waits = [self.waits[number] for number in range(len(self._tasks))]
        return Routed(self._tasks, waits, self.loads, self._ended - self._tasks[0].sent)

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def _later(self, event: Callable[[], None]) -> None:
        self._at(self._arrival(), event)

    def _arrival(self) -> float:
        return self._now + self._random.expovariate(1 / self._latency)

    def _tell(self) -> None:
        for replica in self._replicas.values():
            replica.tell()
        told = {name: replica.told for name, replica in self._replicas.items()}
        admit = dict.fromkeys(told, self._setup.admit)
        for ingest in self.ingests:
            ingest.dispatcher.follow(admit, told, self._now)
            self._dispatch(ingest)
        self._at(self._now + _TOLD_SECONDS, self._tell)

    def _come(self, ingest: _Ingest, number: int, task: Task) -> None:
        ingest.queue.append((number, task))
        self._lease(ingest)

    def _lease(self, ingest: _Ingest) -> None:
        while ingest.queue and ingest.leased < self._capacity:
            number, task = ingest.queue.popleft()
            ingest.leased += 1
            need = ingest.durations.need((str(task.checkpoint),))
            self._add(ingest, _Sent(number, task, RoutingRequest(str(number), need)))
        self._dispatch(ingest)

    def _add(self, ingest: _Ingest, sent: _Sent) -> None:
        name = str(next(self._numbers))
        ingest.sent[name] = sent
        ingest.dispatcher.add(name, sent.request, self._now)

    def _dispatch(self, ingest: _Ingest) -> None:
        for sending in ingest.dispatcher.sendings(self._now):
            sent = ingest.sent[sending.task]
            sent.request = sending.request
            # Ray keeps the order of a caller's calls of one actor.
            way = (ingest.dispatcher.name, sending.replica)
            moment = self._arrived[way] = max(self._arrival(), self._arrived.get(way, 0.0))
            self._at(moment, partial(self._arrive, ingest, sending.task, sending.replica))
        moment = ingest.dispatcher.changes(self._now)
        if moment < ingest.looks_at or ingest.looks_at <= self._now:
            ingest.looks_at = moment
            if moment < math.inf:
                self._at(moment, partial(self._dispatch, ingest))

    def _arrive(self, ingest: _Ingest, name: str, replica_name: str) -> None:
        replica, sent = self._replicas[replica_name], ingest.sent[name]
        if len(replica.admitted) >= self._setup.admit:  # Serve's own limit
            self._later(partial(self._full, ingest, name, replica_name, len(replica.admitted)))
        elif refusal := replica.admission.admit(sent.request):
            self.refusals += 1
            self._later(partial(self._refuse, ingest, name, refusal))
        else:
            self._later(partial(ingest.dispatcher.accept, name))
            replica.admitted.append((ingest, name, sent))
            if len(replica.admitted) == 1:
                self._begin(replica_name)

    def _full(self, ingest: _Ingest, name: str, replica: str, runs: int) -> None:
        ingest.dispatcher.fill(replica, runs, self._now)
        ingest.dispatcher.put_back(name, self._now)
        self._dispatch(ingest)

    def _refuse(self, ingest: _Ingest, name: str, refusal: Refusal) -> None:
        sent = ingest.sent.pop(name)
        sent.request = sent.request.refused(refusal)
        self._add(ingest, sent)
        self._dispatch(ingest)

    def _begin(self, name: str) -> None:
        replica = self._replicas[name]
        _, _, sent = replica.admitted[0]
        files = sent.request.need.files
        load = 0.0 if replica.holds == files else self._setup.load_seconds
        self.loads += bool(load)
        replica.holds = files
        self.waits[sent.number] = self._now + load - sent.task.sent
        self._ended = self._now + load + sent.task.seconds
        self._at(self._ended, partial(self._end, name, load))

    def _end(self, name: str, load: float) -> None:
        replica = self._replicas[name]
        ingest, task, sent = replica.admitted.popleft()
        replica.admission.leave()
        self._later(partial(self._ended_at, ingest, task, name, sent, load))
        if replica.admitted:
            self._begin(name)

    def _ended_at(self, ingest: _Ingest, name: str, replica: str, sent: _Sent, load: float) -> None:
        ingest.dispatcher.end(name, replica)
        del ingest.sent[name]
        ingest.leased -= 1
        ingest.durations.ended(sent.request.need.files, sent.task.seconds, load)
        self._lease(ingest)
