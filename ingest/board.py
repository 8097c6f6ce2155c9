"""The board: what happens to submissions now, for those who watch; and what is to be stopped.

In memory, in ingest's one process. It is no truth: after a restart it knows nothing, and the ledger
does.
"""

import asyncio
import itertools
import secrets
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from models.event import Event, Snapshot, Update
from models.ports import Live, Pace
from models.report import Report, Status

_ENDED_KEPT = 1_000
_STOPS_KEPT = 100_000
_STOPPER_SECONDS = 10.0
_LATELY = 0.2  # weight of the newest task in a runtime's pace


class Follower:
    """One front: what it watches, and what it was not yet told."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self._news: dict[str, Snapshot] = {}
        self._any = asyncio.Event()

    def tell(self, event: Event) -> None:
        if event.submission in self.watched:
            # A slow front is told the newest progress, not all that it missed.
            self._news.setdefault(event.submission, Snapshot()).add(event)
            self._any.set()

    async def news(self) -> list[Event]:
        await self._any.wait()
        self._any.clear()
        told, self._news = self._news, {}
        return [event for snapshot in told.values() for event in snapshot.since(0)]


class Board(Live):
    """Says what happens, remembers it for a while, and stops what is not to run."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.began = clock()
        self.boot = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._snapshots: dict[str, Snapshot] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._held: Counter[str] = Counter()
        self._stops: dict[str, list[Callable[[], object]]] = defaultdict(list)
        self._stopped: OrderedDict[str, float] = OrderedDict()
        self._followers: dict[str, Follower] = {}
        self._paces: dict[str, _Counts] = defaultdict(_Counts)

    def publish(self, submission: str, update: Update) -> None:
        """Tell those who watch."""
        event = Event(
            submission=submission, boot=self.boot, number=next(self._numbers), update=update
        )
        self._snapshots.setdefault(submission, Snapshot()).add(event)
        if isinstance(update, Report) and update.ended:
            self._forget_later(submission)
        for follower in self._followers.values():
            follower.tell(event)

    @contextmanager
    def holding(self, runtime: str, submission: str) -> Iterator[None]:
        """Ingest has this one, and will tell how it ends."""
        self._held[submission] += 1
        self._paces[runtime].leased += 1
        try:
            yield
        finally:
            self._held[submission] -= 1
            self._paces[runtime].leased -= 1
            if not self._held[submission]:
                self._let_go(submission)

    @contextmanager
    def running(self, runtime: str, submission: str, stop: Callable[[], object]) -> Iterator[None]:
        """A run of it is under way, which ``stop`` ends; at once, if it was stopped before."""
        counts = self._paces[runtime]
        counts.running += 1
        self._stops[submission].append(stop)
        try:
            if self.is_stopped(submission):
                stop()
            yield
        finally:
            counts.running -= 1
            self._stops[submission].remove(stop)

    def ran(self, report: Report) -> None:
        """A replica ended a task: so long it took, and this checkpoint it has."""
        if report.status is Status.COMPLETED:
            self._paces[report.runtime].take(report)

    def is_stopped(self, submission: str) -> bool:
        return submission in self._stopped

    def is_told_by_stopper(self, submission: str) -> bool:
        """Whether who stopped it just now is telling so: nobody here had it then."""
        return self.clock() < self._stopped.get(submission, 0)

    def knows_since(self, sent: float) -> bool:
        """Whether a stop of what was sent then would be known here."""
        return sent > self.began

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        mine = self._followers[follower] = Follower()
        try:
            yield []  # now it follows
            while True:
                yield await mine.news()
        finally:
            if self._followers.get(follower) is mine:
                del self._followers[follower]

    async def watch(self, follower: str, submission: str) -> Sequence[Event] | None:
        if (mine := self._followers.get(follower)) is None:
            return None
        mine.watched.add(submission)
        snapshot = self._snapshots.get(submission)
        return snapshot.since(0) if snapshot else []

    async def unwatch(self, follower: str, submission: str) -> None:
        if mine := self._followers.get(follower):
            mine.watched.discard(submission)

    async def stop(self, report: Report) -> bool:
        submission = report.submission
        held = submission in self._held
        self._stopped.setdefault(submission, 0 if held else self.clock() + _STOPPER_SECONDS)
        if len(self._stopped) > _STOPS_KEPT:
            self._stopped.popitem(last=False)
        for stop in list(self._stops.get(submission, ())):
            stop()
        if not held:
            self.publish(submission, report)
        return held

    async def paces(self) -> Mapping[str, Pace]:
        return {runtime: counts.pace() for runtime, counts in self._paces.items()}

    def _let_go(self, submission: str) -> None:
        del self._held[submission]
        self._stops.pop(submission, None)
        if submission not in self._ended:
            self._snapshots.pop(submission, None)

    def _forget_later(self, submission: str) -> None:
        self._ended[submission] = None
        self._snapshots[submission].drop_preview()
        if len(self._ended) > _ENDED_KEPT:
            forgotten, _ = self._ended.popitem(last=False)
            self._snapshots.pop(forgotten, None)


@dataclass
class _Counts:
    """How a runtime is doing."""

    leased: int = 0
    running: int = 0
    seconds: float | None = None
    """For which a task lately held the GPU."""
    checkpoints: dict[str, str] = field(default_factory=dict)
    """What each replica ran with last."""

    def take(self, report: Report) -> None:
        took = sum(report.seconds.get(stage, 0) for stage in ("load", "run"))
        old = took if self.seconds is None else self.seconds
        self.seconds = old + _LATELY * (took - old)
        if report.replica and report.checkpoint:
            self.checkpoints[report.replica] = report.checkpoint

    def pace(self) -> Pace:
        return Pace(
            leased=self.leased,
            running=self.running,
            seconds=self.seconds,
            checkpoints=tuple(sorted(set(self.checkpoints.values()))),
        )
