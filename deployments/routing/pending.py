"""Tasks that wait for a replica, and the choice of the next one and its replica."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise, takewhile
from operator import itemgetter
from typing import Generic, TypeVar

from deployments.routing.candidates import Candidates
from deployments.routing.durations import Files, Need
from deployments.routing.first_come import FirstComeFleet, Turn

T = TypeVar("T")

MULTIPLE = 3.0
"""Multiple of the wait for its turn that a task waits at most, before it goes first."""
PATIENCE = 2.0
"""Loads that a task waits for its files to be loaded for others, too, while a replica idles."""
QUIET = 0.3
"""Share of the replicas' time, with a load whenever the files change, below which none waits so."""
_LATELY = 20.0
"""Loads' time in which tasks count as those that come lately."""
_MOST_LATELY = 200
"""Tasks that count so at most: those that came last."""


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
        turn = self.turn
        return turn.came + MULTIPLE * max(turn.begins - turn.came, turn.need.load)


class PendingTasks(Generic[T]):
    """Tasks of one runtime that wait for a replica.

    A task goes to a replica that has its files. Others load them where the backlog for them, or
    that of the whole fleet, outweighs the load, and where a task has waited for long while a
    replica idles. Of those with the same files the first one goes first. Once it has waited for
    `MULTIPLE` times as long as it would have had for its turn, in a fleet that takes the first task
    first, it goes to the next replica that can be had.
    """

    def __init__(self) -> None:
        self.candidates = Candidates()
        self._first_come = FirstComeFleet()
        self._routers = 1
        self._waiting: dict[Files, deque[PendingTask[T]]] = {}
        self._count = 0
        self._load = Need(()).load
        """Seconds that a load is expected to last, by what was known with the newest task."""
        self._seconds = Need(()).seconds
        """Seconds that the newest task is expected to last."""
        self._lately = deque[tuple[float, Files]](maxlen=_MOST_LATELY)
        """Tasks that came lately: their moments and files."""

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
        self._load, self._seconds = need.load, need.seconds
        if turn is None:
            self._lately.append((now, need.files))
            turn = Turn(now, need)
            self._first_come.add(turn)
            self.candidates.ask(need.files)
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

    def choose(self, now: float) -> tuple[PendingTask[T], str] | None:
        """Take a task out, for the candidate with the name; None if none is to go now."""
        self._first_come.advance(now)
        choice = self._choice(now) if self._count and self.candidates.begin() else None
        if choice is None:
            return None
        files, name = choice
        waiting = self._waiting[files][0]
        self.remove(waiting)
        return waiting, name

    def changes(self, now: float) -> float:
        """Return the next moment at which time alone changes the choice; infinite: none does."""
        heads = self.heads()
        patience = PATIENCE * self._load
        moments = chain((each.due for each in heads), (each.came + patience for each in heads))
        moments = chain(moments, [self._first_come.next_turn] if heads else [])
        return min((moment for moment in moments if moment > now), default=math.inf)

    def waits_for(self, files: Files) -> bool:
        """Tell whether any task waits that needs the files."""
        return files in self._waiting

    def heads(self) -> list[PendingTask[T]]:
        """List the first task of each combination of files."""
        return [group[0] for group in self._waiting.values()]

    def _choice(self, now: float) -> tuple[Files, str] | None:
        for head in self._due(now):
            is_late = now > head.due + self._load
            name = self.candidates.for_due(head.need.files, is_late=is_late)
            if name is not None:
                return head.need.files, name
        for files in self._by_age():
            if (name := self.candidates.warm(files)) is not None:
                return files, name
        return self._worthwhile(now) if self.candidates.idle_at_all else None

    def _due(self, now: float) -> list[PendingTask[T]]:
        dues = ((head.due, head) for head in self.heads())
        due = sorted((each for each in dues if each[0] <= now), key=itemgetter(0))
        return [head for _, head in due]

    def _by_age(self) -> Iterable[Files]:
        return [head.need.files for head in sorted(self.heads(), key=lambda head: head.came)]

    def _worthwhile(self, now: float) -> tuple[Files, str] | None:
        """Find the load that is worth most of those that pay on a replica that idles."""
        backlogs = {
            files: group[0].need.seconds * len(group) for files, group in self._waiting.items()
        }
        work = sum(backlogs.values()) * self._routers
        worth = (
            (backlog / (self.candidates.holders(files) + 1), files)
            for files, backlog in backlogs.items()
        )
        is_quiet = self._is_quiet(now)
        is_free = is_quiet or self.candidates.idle_and_empty
        for _, files in sorted(worth, reverse=True):
            backlog, least = backlogs[files], 1 / max(len(files), 1)
            if not self._pays(files, least, backlog, work, now, is_free=is_free):
                continue  # wherever it took place
            if (name := self.candidates.idle(files)) is None:
                continue
            missing = self.candidates.missing(files, name)
            is_free_there = is_quiet or self.candidates.is_empty(name)
            if self._pays(files, missing, backlog, work, now, is_free=is_free_there):
                return files, name
        return None

    def _is_quiet(self, now: float) -> bool:
        """Tell whether replicas would idle for most of the time with a load for each change."""
        since = now - _LATELY * self._load
        while self._lately and self._lately[0][0] < since:
            self._lately.popleft()
        if len(self._lately) == _MOST_LATELY:
            since = self._lately[0][0]
        loads = 1 + sum(one[1] != next_one[1] for one, next_one in pairwise(self._lately))
        work = (len(self._lately) * self._seconds + loads * self._load) * self._routers
        return work < QUIET * (now - since) * len(self.candidates)

    def _pays(
        self,
        files: Files,
        missing: float,
        backlog: float,
        work: float,
        now: float,
        *,
        is_free: bool,
    ) -> bool:
        """Tell whether a load pays; ``missing``: the share that is not there yet.

        ``backlog``: seconds of what needs the files; ``work``: seconds of all that waits;
        ``is_free``: the load costs nobody anything.
        """
        cost = self._load * missing
        if holders := self.candidates.holders(files):
            return backlog / holders >= cost
        return (
            backlog >= cost
            or work >= self._load * len(self.candidates)
            or now - self._waiting[files][0].came >= PATIENCE * cost
            or is_free
        )
