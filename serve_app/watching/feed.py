"""A mirror of the board in the front: one stream from ingest, however many watch here."""

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
from models.ports import Ledger, Live

log = logging.getLogger("ray.serve.atelier.api")

MOST_SHOWN = 10_000
"""Submissions that are mirrored at once: those that are watched, and were a moment ago."""


_RETRY = Backoff(first=0.2, longest=10)


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """How often things are done, and how long they are waited for; in seconds."""

    heartbeat: float = 15
    """The longest that a client is sent nothing at all."""
    tick: float = 2
    """The longest until a watcher looks whether something has changed, such as its position."""
    fresh: float = 2
    """What was asked of others is not asked again for so long, whoever wants to know."""
    look: float = 30
    """Between a watcher's looks at the ledger; an end that the board did not say is found so."""
    look_alone: float = 5
    """The same while ingest is not heard."""
    patience: float = 2
    """For what the board remembers."""
    linger: float = 5
    """A task stays watched so long after the last watcher: somebody may be polling."""
    retry: Backoff = _RETRY
    """Pauses before the board is followed again."""


class Feed:
    """Mirrors what is watched here; made without an event loop, it starts with the first watcher.

    The ledger is for those who watch: an end that is said while ingest is not heard stands there.
    """

    def __init__(
        self,
        live: Live,
        ledger: Ledger,
        rhythm: Rhythm | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self.ledger = ledger
        self.rhythm = rhythm or Rhythm()
        self.clock = clock
        self._name = secrets.token_hex(8)
        self._following: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()
        self._shown: dict[str, _Shown] = {}
        self._agenda: set[str] = set()
        """Submissions that the board is to be asked for, or for no more."""
        self._any = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether ingest is heard."""
        return self._heard.is_set()

    def start(self) -> None:
        """Follow the board, unless that is done already."""
        if self._following is None or self._following.done():
            self._heard, self._any = asyncio.Event(), asyncio.Event()
            self._lose()
            self._following = asyncio.create_task(self._follow(), name="feed")

    async def close(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def ready(self) -> bool:
        """Whether ingest is heard, now or soon."""
        self.start()
        await _set_within(self.rhythm.patience, self._heard)
        return self.connected

    @asynccontextmanager
    async def watching(self, submission: str) -> "AsyncIterator[Watcher]":
        """Watch it; what the board remembers is known then, if that is told in time."""
        self.start()
        shown = self._shown_of(submission)
        watcher = Watcher(shown)
        if not shown.known.is_set():
            self._ask(submission)
        try:
            await _set_within(self.rhythm.patience, shown.known)
            yield watcher
        finally:
            shown.watchers.discard(watcher.woken)
            if not shown.watchers:
                loop = asyncio.get_running_loop()
                loop.call_later(self.rhythm.linger, self._leave, submission)

    def _shown_of(self, submission: str) -> "_Shown":
        """Mirror of a submission's events; if there is no room for one more, an empty mirror.

        Nothing is ever told through an empty mirror, and its client sees the ledger alone.
        """
        if submission not in self._shown and len(self._shown) >= MOST_SHOWN:
            return _Shown()
        return self._shown.setdefault(submission, _Shown())

    def _leave(self, submission: str) -> None:
        if self.connected:
            self._ask(submission)
        elif (shown := self._shown.get(submission)) and not shown.watchers:
            del self._shown[submission]

    def _ask(self, submission: str) -> None:
        self._agenda.add(submission)
        self._any.set()

    async def _follow(self) -> None:
        """Hear the board, for ever."""
        failures = 0
        while True:
            try:
                await self._hear()
            except* Exception as lost:  # noqa: BLE001 - whatever it is, those who watch stay
                why = "; ".join(f"{type(exc).__name__}: {exc}" for exc in lost.exceptions)
                log.warning("feed_lost", extra={"why": why})
            failures = 1 if self.connected else failures + 1
            self._lose()
            if _is_cancelled():
                return
            await asyncio.sleep(self.rhythm.retry.pause(failures))

    async def _hear(self) -> None:
        """Take what the board says.

        Raises:
            Unavailable: it says no more.
        """
        async with asyncio.TaskGroup() as group, aclosing(self.live.follow(self._name)) as stream:
            async for events in stream:
                if not self.connected:
                    self._begin()
                    group.create_task(self._work_off())
                for event in events:
                    self._take(event)
            raise Unavailable("the board said no more")

    def _begin(self) -> None:
        self._heard.set()
        for submission in self._shown:
            self._ask(submission)

    def _lose(self) -> None:
        self._heard.clear()
        self._shown = {name: shown for name, shown in self._shown.items() if shown.watchers}
        for shown in self._shown.values():
            shown.forget()

    async def _work_off(self) -> None:
        """Ask the board for what is watched here, and for no more of what is not.

        Nothing is asked about a submission before the answer to the question before.
        """
        while True:
            await self._any.wait()
            self._any.clear()
            agenda, self._agenda = self._agenda, set()
            async with asyncio.TaskGroup() as group:
                for submission in agenda:
                    if shown := self._shown.get(submission):
                        group.create_task(self._settle(submission, shown))

    async def _settle(self, submission: str, shown: "_Shown") -> None:
        if not shown.watchers:
            await self._forget(submission, shown)
        elif not shown.known.is_set():
            said = await self.live.watch(self._name, submission)
            if said is None:
                raise Unavailable("the board does not know this follower any more")
            shown.begin(said)

    async def _forget(self, submission: str, shown: "_Shown") -> None:
        shown.known.clear()
        await self.live.unwatch(self._name, submission)
        if shown.watchers:  # somebody came meanwhile
            self._ask(submission)
        else:
            del self._shown[submission]

    def _take(self, event: Event) -> None:
        if shown := self._shown.get(event.submission):
            shown.snapshot.add(event)
            shown.wake()


@dataclass(eq=False)
class _Shown:
    """What the board said of a submission that is watched here."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the board has said what it remembers, and tells the rest as it comes."""
    watchers: set[asyncio.Event] = field(default_factory=set)

    def begin(self, said: Iterable[Event]) -> None:
        """Take what the board remembers; what it has told meanwhile is newer."""
        events = {event.number: event for event in (*said, *self.snapshot.since(0))}
        self.snapshot = Snapshot()
        for number in sorted(events):
            self.snapshot.add(events[number])
        self.known.set()
        self.wake()

    def forget(self) -> None:
        """The next that is heard may be another life of the board."""
        self.snapshot = Snapshot()
        self.known.clear()
        self.wake()

    def wake(self) -> None:
        for woken in self.watchers:
            woken.set()


class Watcher:
    """One who watches a submission; told at his own pace, he misses old progress only."""

    def __init__(self, shown: _Shown) -> None:
        self.woken = asyncio.Event()
        self._shown = shown
        shown.watchers.add(self.woken)

    @property
    def all(self) -> list[Event]:
        """What is known, oldest first."""
        return self._shown.snapshot.since(0)

    def since(self, boot: str, number: int) -> list[Event]:
        """What came later; all of it, where that was another life of the board."""
        return [event for event in self.all if event.boot != boot or event.number > number]

    async def news(self, seconds: float) -> None:
        """Wait for more, but no longer than that."""
        await _set_within(seconds, self.woken)
        self.woken.clear()


def _is_cancelled() -> bool:
    """Whether this was to end: a task group that fails at the same time keeps that to itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _set_within(seconds: float, event: asyncio.Event) -> None:
    """Wait until it is set, but no longer than that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
