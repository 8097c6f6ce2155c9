"""Tasks that wait for a replica, and the choice of the next one and its replica."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile
from typing import Generic, TypeVar

from deployments.routing.candidates import Candidate, Candidates
from deployments.routing.durations import Files, Need
from deployments.routing.first_come import FirstComeFleet, Turn

T = TypeVar("T")

MULTIPLE = 3.0
"""Multiple of the wait for its turn that a task waits at most, before it goes first."""
PATIENCE = 2.0
"""Loads that a task waits for its files to be loaded for others, too, while a replica idles."""
_RECENT = 200
"""Tasks that came last, by which it is known how often files are asked for."""


@dataclass(frozen=True, eq=False)
class PendingTask(Generic[T]):
    """Task that waits, or did so until it was chosen."""

    task: T
    turn: Turn
    """Turn that it would have in a fleet that takes the first task first."""

    @property
    def need(self) -> Need:
        return self.turn.need

    @property
    def came(self) -> float:
        return self.turn.came

    @property
    def due(self) -> float:
        """Moment from which it goes first; infinite while its turn has not come."""
        # It may always wait for a load: the first task of all finds everything as it wants it.
        wait = max(self.turn.begins - self.turn.came, self.need.load)
        return self.turn.came + MULTIPLE * wait


class PendingTasks(Generic[T]):
    """Tasks of one runtime that wait for a replica.

    A task goes to a replica that has its files. Others load them where the backlog for them, or
    that of the whole fleet, outweighs the load, and where a task has waited for long while a
    replica idles. Of those with the same files the first one goes first. Once it has waited for
    `MULTIPLE` times as long as it would have had for its turn, in a fleet that takes the first task
    first, it goes to the next replica that can be had.
    """

    def __init__(self) -> None:
        self._first_come = FirstComeFleet()
        self._routers = 1
        self._waiting: dict[Files, deque[PendingTask[T]]] = {}
        self._count = 0
        self._load = Need(()).load
        """Seconds that a load is expected to last, by what was known with the newest task."""
        self._recent = deque[Files]()
        self._asked = Counter[Files]()
        """Count of each combination of files among the recent tasks."""

    def __len__(self) -> int:
        return self._count

    def resize(self, replicas: int, now: float, routers: int = 1) -> None:
        """Reckon with so many replicas from now on: none, before it is called.

        ``routers``: how many give them tasks, of which each knows its own alone.
        """
        self._routers = routers
        self._first_come.resize(replicas, now, routers)

    def add(self, task: T, need: Need, now: float, turn: Turn | None = None) -> PendingTask[T]:
        """Take a task in; ``turn``: that which it had when it was here before."""
        self._load = need.load
        if turn is None:
            turn = Turn(now, need)
            self._first_come.add(turn)
            self._note(need.files)
        waiting = PendingTask(task, turn)
        self._count += 1
        group = self._waiting.setdefault(waiting.need.files, deque())
        # What was here before goes before others like it that came later.
        later = takewhile(lambda other: other.came > waiting.came, reversed(group))
        group.insert(len(group) - sum(1 for _ in later), waiting)
        return waiting

    def put_back(self, waiting: PendingTask[T]) -> None:
        """Let a task wait again that was chosen in vain: it goes before others like it."""
        self._waiting.setdefault(waiting.need.files, deque()).appendleft(waiting)
        self._count += 1

    def remove(self, waiting: PendingTask[T]) -> None:
        """Let a task go that waits no more."""
        group = self._waiting[waiting.need.files]
        group.remove(waiting)
        self._count -= 1
        if not group:
            del self._waiting[waiting.need.files]

    def choose(
        self, candidates: Sequence[Candidate], now: float
    ) -> tuple[PendingTask[T], int] | None:
        """Take a task out, for the candidate with the number; None if none is to go now."""
        self._first_come.advance(now)
        choice = self._choice(Candidates(candidates, self._asked), now)
        if choice is None:
            return None
        files, number = choice
        waiting = self._waiting[files][0]
        self.remove(waiting)
        return waiting, number

    def changes(self, now: float) -> float:
        """Return the next moment at which time alone changes the choice; infinite: none does."""
        heads = self.heads()
        moments = chain.from_iterable(
            (each.due, each.came + PATIENCE * self._load) for each in heads
        )
        moments = chain(moments, [self._first_come.next_turn] if heads else [])
        return min((moment for moment in moments if moment > now), default=math.inf)

    def _note(self, files: Files) -> None:
        """Count files that are asked for, and forget the oldest of `_RECENT` tasks."""
        self._recent.append(files)
        self._asked[files] += 1
        if len(self._recent) > _RECENT:
            forgotten = self._recent.popleft()
            self._asked[forgotten] -= 1
            if not self._asked[forgotten]:
                del self._asked[forgotten]

    def heads(self) -> list[PendingTask[T]]:
        """List the first task of each combination of files."""
        return [group[0] for group in self._waiting.values()]

    def _choice(self, candidates: Candidates, now: float) -> tuple[Files, int] | None:
        for head in self._due(now):
            is_late = now > head.due + self._load
            if (number := candidates.for_due(head.need.files, is_late=is_late)) is not None:
                return head.need.files, number
        for files in self._by_age():
            if (number := candidates.warm(files)) is not None:
                return files, number
        return max(self._worthwhile(candidates, now), default=(0.0, None))[1]

    def _due(self, now: float) -> list[PendingTask[T]]:
        due = (head for head in self.heads() if head.due <= now)
        return sorted(due, key=lambda head: head.due)

    def _by_age(self) -> Iterable[Files]:
        return [head.need.files for head in sorted(self.heads(), key=lambda head: head.came)]

    def _worthwhile(
        self, candidates: Candidates, now: float
    ) -> Iterator[tuple[float, tuple[Files, int]]]:
        """Yield the loads that pay on a replica that idles, with what they are worth."""
        backlogs = {
            files: group[0].need.seconds * len(group) for files, group in self._waiting.items()
        }
        work = sum(backlogs.values())
        for head in self.heads():
            files, load = head.need.files, self._load
            if (number := candidates.idle(files)) is None:
                continue
            cost = load * candidates.missing(files, number)
            backlog, holders = backlogs[files], candidates.holders(files)
            if holders:
                pays = backlog / holders >= cost
            else:
                is_backlog = work * self._routers >= load * len(candidates)
                is_old = now - head.came >= PATIENCE * cost
                pays = backlog >= cost or is_backlog or is_old or candidates.is_empty(number)
            if pays:
                yield backlog / (holders + 1), (files, number)
