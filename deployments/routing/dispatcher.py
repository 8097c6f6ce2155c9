"""Dispatcher of one handle: which of its tasks go to which replicas now; knows no Ray."""

import heapq
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from deployments.routing.durations import Need
from deployments.routing.first_come import Turn
from deployments.routing.pending import PendingTask, PendingTasks
from deployments.routing.replica_state import SEND_SECONDS, ReplicaState
from deployments.routing.requests import Answer, Claim, RoutingRequest

_AHEAD_SECONDS = 1.0
"""Seconds of work that a replica is given ahead, and one task at least."""
_MOST_REFUSALS = 10
"""Refusals after which a task goes to a replica whatever that has to do."""
_MOST_TURNS = 10_000
"""Tasks that keep their turn if they are sent again: those that came last."""


@dataclass(frozen=True)
class Told:
    """Word of a replica of itself, from time to time."""

    files: Sequence[str]
    changes: int
    """Count of its changes of files."""
    routers: int
    """Routers that sent it tasks lately."""


@dataclass(frozen=True)
class Sending:
    """Sending of a task to a replica, by the ids of both."""

    task: str
    replica: str
    request: RoutingRequest


@dataclass(eq=False)
class _Request:
    """Request of a task that waits, or is with a replica."""

    request: RoutingRequest
    waiting: PendingTask[str]
    replica: str | None = None
    """Replica that it was given."""


class Dispatcher:
    """Chooses replicas for the tasks of one handle, of which each has an id for each sending.

    ``now``: seconds of one monotonic clock.
    """

    def __init__(self) -> None:
        self.name = uuid4().hex
        self._pending: PendingTasks[str] = PendingTasks()
        self._requests: dict[str, _Request] = {}
        self._states: dict[str, ReplicaState] = {}
        self._admit: Mapping[str, int] = {}
        self._routers = 1
        self._seconds = Need(()).seconds
        """Seconds that the newest task is expected to last."""
        self._turns: dict[str, tuple[Turn, str]] = {}
        """Turn of each task, and its id as it was sent last, by the key that it keeps."""
        self._changed = set[str]()
        """Replicas of which something has changed since the last choice."""
        self._others: list[tuple[float, str]] = []
        """Heap of the moments until which tasks of other routers are taken to be at replicas."""
        self._sent = deque[tuple[float, str, str]]()
        """Moments at which replicas must have accepted tasks, and both their names."""

    def follow(self, admit: Mapping[str, int], told: Mapping[str, Told], now: float) -> None:
        """Follow the replicas that there are; one that is new has no files.

        ``admit``: how many tasks each takes at once; ``told``: the last word of those that spoke.
        """
        for name in self._states.keys() - admit.keys():
            self._pending.candidates.remove(name)
        self._changed.update(admit)
        self._admit = admit
        self._states = {name: self._states.get(name) or ReplicaState(name) for name in admit}
        for name, word in told.items():
            self._states[name].tell(tuple(word.files), word.changes)
        # Of some that were given away Serve tells no end: their callers were gone before.
        self._requests = {
            task: found for task, found in self._requests.items() if self._is_there(task, found)
        }
        self._routers = max((word.routers for word in told.values()), default=1) or 1
        self._pending.resize(len(admit), now, self._routers)

    def add(self, task: str, request: RoutingRequest, now: float) -> None:
        """Take a task in: a new one, or again one that a replica refused or handed back."""
        self._seconds = request.need.seconds
        turn, before = self._turns.pop(request.key, (None, ""))
        if (refusal := request.refusal) and (state := self._states.get(refusal.replica)):
            self.end(before, refusal.replica)
            state.refuse(refusal, self._seconds, now)
            self._note_others(state)
        waiting = self._pending.add(task, request.need, now, turn)
        self._turns[request.key] = waiting.turn, task
        if len(self._turns) > _MOST_TURNS:
            del self._turns[next(iter(self._turns))]
        self._requests[task] = _Request(request, waiting)

    def knows(self, task: str) -> bool:
        """Tell whether a task waits, or is with a replica."""
        return task in self._requests

    def answer(self, task: str) -> Answer | None:
        """Return the answer to a task that waits, or is with a replica."""
        found = self._requests.get(task)
        return found.request.answer if found else None

    def put_back(self, task: str, now: float) -> None:
        """Let a task wait again that its replica was too full to take."""
        found = self._requests[task]
        state = self._state_of(found)
        self._take_back(task, found)
        if state:
            state.recount(self._seconds, now)
            self._note_others(state)
        self._pending.put_back(found.waiting)

    def remove(self, task: str) -> None:
        """Let a task go that nobody waits for any more."""
        if found := self._requests.pop(task, None):
            if found.replica is None:
                self._pending.remove(found.waiting)
            else:
                self._take_back(task, found)

    def accept(self, task: str) -> None:
        """Note that its replica has a task."""
        if (found := self._requests.get(task)) and (state := self._state_of(found)):
            state.accept(task)

    def end(self, task: str, replica: str) -> None:
        """Note that a replica has a task no more."""
        if state := self._states.get(replica):
            state.end(task)
            self._changed.add(replica)
        if (found := self._requests.get(task)) and found.replica == replica:
            del self._requests[task]

    def fill(self, replica: str, runs: int, now: float) -> None:
        """Note that a replica is full, whoever gave it what it has."""
        if state := self._states.get(replica):
            state.count(runs, self._seconds, now)
            self._note_others(state)

    def sendings(self, now: float) -> Iterator[Sending]:
        """Yield what is to go now; each counts as given with that."""
        if not len(self._pending):
            return
        ahead = 1 + math.ceil(_AHEAD_SECONDS / max(self._seconds, 0.01))
        self._pending.candidates.ahead = ahead
        self._place(now)
        while chosen := self._pending.choose(now):
            waiting, replica = chosen
            yield self._send(waiting, replica, now)
            self._place(now)

    def changes(self, now: float) -> float:
        """Return the next moment at which time alone changes the choice; infinite: none does."""
        if not len(self._pending):
            return math.inf
        moments = (moments[0][0] for moments in (self._others, self._sent) if moments)
        later = min((moment for moment in moments if moment > now), default=math.inf)
        return min(later, self._pending.changes(now))

    def _place(self, now: float) -> None:
        """Tell of the replicas that have changed, or of which time has changed what is known."""
        while self._others and not now < self._others[0][0]:
            self._changed.add(heapq.heappop(self._others)[1])
        while self._sent:
            moment, task, replica = self._sent[0]
            state = self._states.get(replica)
            if now < moment and state and state.expects(task):
                break
            self._changed.add(replica)
            self._sent.popleft()
        for name in self._changed & self._states.keys():
            most = max(1, self._admit[name] // self._routers)
            self._pending.candidates.place(self._states[name].candidate(most, now))
        self._changed.clear()

    def _note_others(self, state: ReplicaState) -> None:
        self._changed.add(state.name)
        heapq.heappush(self._others, (state.others_until, state.name))

    def _send(self, waiting: PendingTask[str], replica: str, now: float) -> Sending:
        found = self._requests[waiting.task]
        found.replica = replica
        has = self._states[replica].give(waiting.task, waiting.need.files, now)
        self._changed.add(replica)
        self._sent.append((now + SEND_SECONDS, waiting.task, replica))
        is_next = waiting.due <= now or found.request.refusals >= _MOST_REFUSALS
        claim = Claim.NEXT if is_next else Claim.HAS if has else Claim.IDLE
        request = replace(
            found.request,
            router=self.name,
            claim=claim,
            refusal=None,
            is_followed=self._pending.waits_for(waiting.need.files),
        )
        return Sending(waiting.task, replica, request)

    def _take_back(self, task: str, found: _Request) -> None:
        if state := self._state_of(found):
            state.take_back(task)
            self._changed.add(state.name)
        found.replica = None

    def _is_there(self, task: str, found: _Request) -> bool:
        if found.replica is None:
            return True
        state = self._state_of(found)
        return state is not None and state.has(task)

    def _state_of(self, found: _Request) -> ReplicaState | None:
        return self._states.get(found.replica) if found.replica else None
