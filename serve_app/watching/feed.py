"""Feed of ingest's events: one stream from each ingest replica, however many clients watch here."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from models.backoff import Backoff
from models.ledger import Ledger
from models.live import Ingests
from serve_app.watching.board_stream import BoardStream
from serve_app.watching.mirror import Mirrors, Watcher, set_within

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
    """Time between them while the ingest replica that has the task may not be heard."""
    snapshot_wait: float = 2
    """Longest wait for the boards' snapshots of a submission, or for their streams of events."""
    opening: float = 5
    """Longest wait for the first answer of a board that is to be followed."""
    linger: float = 5
    """Time for which a task stays mirrored after its last watcher: a client may be polling."""
    retry: Backoff = _RETRY
    """Pauses before a board is followed again."""


class Feed:
    """Mirror of the submissions that are watched here, from the boards of all ingest replicas.

    Made without an event loop; it starts with the first watcher. Watchers read the ledger, too,
    which has the ends that came while ingest was not connected.
    """

    def __init__(
        self,
        ingests: Ingests,
        ledger: Ledger,
        intervals: Intervals | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ingests = ingests
        self.ledger = ledger
        self.intervals = intervals or Intervals()
        self.clock = clock
        self._name = secrets.token_hex(8)
        self._following: asyncio.Task[None] | None = None
        self._mirrors = Mirrors()
        self._streams: dict[str, BoardStream] = {}
        self._was_tried = False
        """Flag: there was some ingest replica to follow."""
        self._tried = asyncio.Event()
        """Set while each stream is open or could not be opened at the last try; without any, once
        there were some: nobody waits for ingest replicas that have gone."""

    @property
    def connected(self) -> bool:
        """Flag: the streams of all ingest replicas are open."""
        return bool(self._streams) and all(each.is_open for each in self._streams.values())

    @property
    def heard(self) -> bool:
        """Flag: the stream of any ingest replica is open."""
        return bool(self._mirrors.open)

    def start(self) -> None:
        """Start to follow the boards, unless that was done."""
        if self._following is None or self._following.done():
            # An Event belongs to the loop that first waited for it, which may be gone by now.
            self._tried = asyncio.Event()
            self._following = asyncio.create_task(self._follow(), name="feed")

    async def close(self) -> None:
        if self._following:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def ready(self) -> bool:
        """Wait a moment until each stream of events is open or has failed; tell if any is open."""
        self.start()
        await set_within(self.intervals.snapshot_wait, self._tried)
        return self.heard

    @asynccontextmanager
    async def watching(self, submission: str) -> AsyncIterator[Watcher]:
        """Watch a submission; waits a moment for the boards' snapshots of it."""
        self.start()
        mirror = self._mirrors.of(submission)
        watcher = Watcher(mirror)
        if not mirror.known.is_set():
            self._ask(submission)
        try:
            await set_within(self.intervals.snapshot_wait, mirror.known)
            yield watcher
        finally:
            mirror.watchers.discard(watcher.woken)
            if not mirror.watchers:
                loop = asyncio.get_running_loop()
                loop.call_later(self.intervals.linger, self._leave, submission)

    def _leave(self, submission: str) -> None:
        # A watcher may have come back by now: then nothing is found to do.
        if self._mirrors.open:
            self._ask(submission)
        else:
            self._mirrors.drop(submission)

    def _ask(self, submission: str) -> None:
        for stream in self._streams.values():
            stream.ask(submission)

    async def _follow(self) -> None:
        """Follow the board of each ingest replica for as long as that runs, for ever."""
        tasks: dict[str, asyncio.Task[None]] = {}
        self._streams.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                there = self.ingests.there
                for gone in self._streams.keys() - there.keys():
                    # Serve waits until nobody follows it any more, before it lets it drain.
                    tasks.pop(gone).cancel()
                    del self._streams[gone]
                for name in there.keys() - self._streams.keys():
                    stream = self._streams[name] = BoardStream(
                        name,
                        there[name],
                        follower=self._name,
                        mirrors=self._mirrors,
                        opening=self.intervals.opening,
                        retry=self.intervals.retry,
                        noticed=self._notice,
                    )
                    tasks[name] = group.create_task(stream.follow())
                self._notice()
                await self.ingests.change(there.keys())

    def _notice(self) -> None:
        streams = self._streams.values()
        self._was_tried = self._was_tried or bool(streams)
        if self._was_tried and all(each.is_open or each.failing for each in streams):
            self._tried.set()
        else:
            self._tried.clear()
