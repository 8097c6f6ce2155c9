"""Feed of ingest's events: one stream for each ingress replica, however many clients watch."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from models.backoff import Backoff
from models.errors import Unavailable
from models.event import Event, Snapshot
from models.live import Live
from models.ports import Ledger

log = logging.getLogger("ray.serve.atelier.api")

MOST_MIRRORED = 10_000
"""Most submissions that are mirrored at once: watched now, or a moment ago."""


_RETRY = Backoff(first=0.2, longest=10)


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Intervals and deadlines of watching, in seconds."""

    heartbeat: float = 15
    """Longest time for which a client is sent nothing at all."""
    tick: float = 2
    """Longest time until a watcher checks for changes such as its position in the queue."""
    cache: float = 2
    """Time for which an answer of the ledger, a queue or ingest is cached."""
    ledger_check: float = 30
    """Time between a watcher's reads of the ledger, which find an end that no event brought."""
    ledger_check_alone: float = 5
    """Time between a watcher's reads of the ledger while ingest is not connected."""
    snapshot_wait: float = 2
    """Longest wait for the board's snapshot of a submission, or for its stream of events."""
    linger: float = 5
    """Time for which a task stays mirrored after its last watcher: a client may be polling."""
    retry: Backoff = _RETRY
    """Pauses before the board is followed again."""


class Feed:
    """Mirror of the board's submissions that are watched here.

    Made without an event loop; it starts with the first watcher. Watchers read the ledger, too,
    which has the ends that came while ingest was not connected.
    """

    def __init__(
        self,
        live: Live,
        ledger: Ledger,
        intervals: Intervals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self.ledger = ledger
        self.intervals = intervals or Intervals()
        self.clock = clock
        self._name = secrets.token_hex(8)
        self._following: asyncio.Task[None] | None = None
        self._open = asyncio.Event()
        self.failing = False
        """Flag: the last try to follow the board failed."""
        self._mirrors: dict[str, _Mirror] = {}
        self._pending: set[str] = set()
        """Submissions to be watched or unwatched at the board."""
        self._has_pending = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Flag: ingest's stream of events is open."""
        return self._open.is_set()

    def start(self) -> None:
        """Start to follow the board, unless that was done."""
        if self._following is None or self._following.done():
            # An Event belongs to the loop that first waited for it, which may be gone by now.
            self._open, self._has_pending = asyncio.Event(), asyncio.Event()
            self._lose()
            self._following = asyncio.create_task(self._follow(), name="feed")

    async def close(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def ready(self) -> bool:
        """Wait a moment for ingest's stream of events; tell whether it is open."""
        self.start()
        await _set_within(self.intervals.snapshot_wait, self._open)
        return self.connected

    @asynccontextmanager
    async def watching(self, submission: str) -> "AsyncIterator[Watcher]":
        """Watch a submission; waits a moment for the board's snapshot of it."""
        self.start()
        mirror = self._mirror_of(submission)
        watcher = Watcher(mirror)
        if not mirror.known.is_set():
            self._ask(submission)
        try:
            await _set_within(self.intervals.snapshot_wait, mirror.known)
            yield watcher
        finally:
            mirror.watchers.discard(watcher.woken)
            if not mirror.watchers:
                loop = asyncio.get_running_loop()
                loop.call_later(self.intervals.linger, self._leave, submission)

    def _mirror_of(self, submission: str) -> "_Mirror":
        """Return the mirror of a submission; beyond `MOST_MIRRORED`, one that stays empty.

        Its watchers read the ledger alone.
        """
        if submission not in self._mirrors and len(self._mirrors) >= MOST_MIRRORED:
            return _Mirror()
        return self._mirrors.setdefault(submission, _Mirror())

    def _leave(self, submission: str) -> None:
        # A watcher may have come back by now: then `_settle` finds nothing to do.
        if self.connected:
            self._ask(submission)
        elif (mirror := self._mirrors.get(submission)) and not mirror.watchers:
            del self._mirrors[submission]

    def _ask(self, submission: str) -> None:
        self._pending.add(submission)
        self._has_pending.set()

    async def _follow(self) -> None:
        """Follow the board for ever, with pauses after each failure."""
        failures = 0
        while True:
            try:
                await self._read_stream()
            except* Exception as lost:  # noqa: BLE001 - whatever it is, watchers stay
                # Task groups raise groups of errors; bare ones are taken as well.
                why = "; ".join(f"{type(exc).__name__}: {exc}" for exc in lost.exceptions)
                log.warning("feed_lost", extra={"why": why})
            # A stream that was open starts the pauses anew.
            failures = 1 if self.connected else failures + 1
            self.failing = True
            self._lose()
            if _is_cancelled():
                return
            await asyncio.sleep(self.intervals.retry.pause(failures))

    async def _read_stream(self) -> None:
        """Read the board's events into the mirrors.

        Raises:
            Unavailable: the stream has ended.
        """
        async with asyncio.TaskGroup() as group, aclosing(self.live.follow(self._name)) as stream:
            async for events in stream:
                # Not before the first answer: only then does the board know this follower, and
                # can be asked to watch something.
                if not self.connected:
                    self._begin()
                    group.create_task(self._work_off())
                for event in events:
                    self._take(event)
            raise Unavailable("the board said no more")

    def _begin(self) -> None:
        self._open.set()
        self.failing = False
        for submission in self._mirrors:
            self._ask(submission)

    def _lose(self) -> None:
        self._open.clear()
        self._mirrors = {name: mirror for name, mirror in self._mirrors.items() if mirror.watchers}
        for mirror in self._mirrors.values():
            mirror.forget()

    async def _work_off(self) -> None:
        """Tell the board what is watched here, and what is no more.

        A submission is asked about again only after the answer to the call before.
        """
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            pending, self._pending = self._pending, set()
            async with asyncio.TaskGroup() as group:
                for submission in pending:
                    if mirror := self._mirrors.get(submission):
                        group.create_task(self._settle(submission, mirror))

    async def _settle(self, submission: str, mirror: "_Mirror") -> None:
        if not mirror.watchers:
            await self._forget(submission, mirror)
        elif not mirror.known.is_set():
            events = await self.live.watch(self._name, submission)
            if events is None:
                raise Unavailable("the board does not know this follower any more")
            mirror.begin(events)

    async def _forget(self, submission: str, mirror: "_Mirror") -> None:
        # Before the call: who begins to watch during it sees that the board must be asked again.
        mirror.known.clear()
        await self.live.unwatch(self._name, submission)
        if mirror.watchers:  # another watcher came meanwhile
            self._ask(submission)
        else:
            del self._mirrors[submission]

    def _take(self, event: Event) -> None:
        if mirror := self._mirrors.get(event.submission):
            mirror.snapshot.add(event)
            mirror.wake()


@dataclass(eq=False)
class _Mirror:
    """Mirror of one submission, with the watchers to be woken by its events."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the board's snapshot is here, which later events complete."""
    watchers: set[asyncio.Event] = field(default_factory=set)

    def begin(self, events: Iterable[Event]) -> None:
        """Take the board's snapshot; events that came meanwhile are newer."""
        by_number = {event.number: event for event in (*events, *self.snapshot.since(0))}
        self.snapshot = Snapshot()
        for number in sorted(by_number):
            self.snapshot.add(by_number[number])
        self.known.set()
        self.wake()

    def forget(self) -> None:
        """Forget the events: the next ones may be of another boot of the board."""
        self.snapshot = Snapshot()
        self.known.clear()
        self.wake()

    def wake(self) -> None:
        for woken in self.watchers:
            woken.set()


class Watcher:
    """Watcher of a submission, who reads at his own pace and misses old progress only."""

    def __init__(self, mirror: _Mirror) -> None:
        self.woken = asyncio.Event()
        self._mirror = mirror
        mirror.watchers.add(self.woken)

    @property
    def all(self) -> list[Event]:
        """Events of the submission, oldest first."""
        return self._mirror.snapshot.since(0)

    def since(self, boot: str, number: int) -> list[Event]:
        """Return later events; all of them if the number is of another boot of the board."""
        return [event for event in self.all if event.boot != boot or event.number > number]

    async def news(self, seconds: float) -> None:
        """Wait for a new event, up to so many seconds."""
        await _set_within(seconds, self.woken)
        # Before the next look for events: what comes between the two sets it again.
        self.woken.clear()


def _is_cancelled() -> bool:
    """Tell whether this asyncio task is cancelled: a task group that fails then hides it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _set_within(seconds: float, event: asyncio.Event) -> None:
    """Wait until an event is set, up to so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
