"""Stream of one ingest replica's events into the mirrors, with what is watched there."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing

from models.backoff import Backoff
from models.errors import Unavailable
from models.event import Event
from models.live import Live
from serve_app.watching.mirror import Mirror, Mirrors

log = logging.getLogger("ray.serve.atelier.api")

_GATHER_SECONDS = 0.005
"""Seconds for which what is to be watched is gathered into one call."""
_MOST_AT_ONCE = 200
"""Most submissions in one call: each may answer with a preview."""
_LATE_SECONDS = 0.5
"""Seconds after which watchers do not wait for a board's answer any more."""


class BoardStream:
    """Follows the board of one ingest replica, and tells it what is watched here and what no more.

    ``board``: name of the replica; ``follower``: name under which it is followed; ``opening``:
    most seconds until its first answer; ``noticed``: is called when the stream opens or ends.
    """

    def __init__(
        self,
        board: str,
        live: Live,
        *,
        follower: str,
        mirrors: Mirrors,
        opening: float,
        retry: Backoff,
        noticed: Callable[[], None],
    ) -> None:
        self.board = board
        self.live = live
        self.failing = False
        """Flag: the last try to follow the board failed."""
        self._follower = follower
        self._mirrors = mirrors
        self._opening = opening
        self._retry = retry
        self._noticed = noticed
        self._pending: set[str] = set()
        """Submissions to be watched or unwatched at the board."""
        self._has_pending = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Flag: the board sends its events."""
        return self.board in self._mirrors.open

    def ask(self, submission: str) -> None:
        """Let the board know whether a submission is watched, as soon as the stream is open."""
        self._pending.add(submission)
        self._has_pending.set()

    async def follow(self) -> None:
        """Follow the board until cancelled, with pauses after each failure."""
        failures = 0
        try:
            while True:
                try:
                    await self._read()
                except* Exception as lost:  # noqa: BLE001 - whatever it is, watchers stay
                    # Task groups raise groups of errors; bare ones are taken as well.
                    why = "; ".join(f"{type(exc).__name__}: {exc}" for exc in lost.exceptions)
                    log.warning("feed_lost", extra={"ingest": self.board, "why": why})
                # A stream that was open starts the pauses anew.
                failures = 1 if self.is_open else failures + 1
                self._end(failing=True)
                if _is_cancelled():
                    return
                await asyncio.sleep(self._retry.pause(failures))
        finally:
            self._end(failing=False)

    async def _read(self) -> None:
        """Read the board's events into the mirrors.

        Raises:
            Unavailable: the stream has ended.
        """
        follower = self._follower
        async with asyncio.TaskGroup() as group, aclosing(self.live.follow(follower)) as stream:
            # Only after the first answer does the board know this follower, and can be asked to
            # watch something.
            async with asyncio.timeout(self._opening):
                await anext(stream, None)
            self._begin()
            group.create_task(self._work_off())
            async for events in stream:
                for event in events:
                    if mirror := self._mirrors.get(event.submission):
                        mirror.take(self.board, event)
            raise Unavailable("the board said no more")

    def _begin(self) -> None:
        self._mirrors.open.add(self.board)
        self.failing = False
        self._pending.clear()
        for submission in self._mirrors:
            self.ask(submission)
        self._noticed()

    def _end(self, *, failing: bool) -> None:
        self.failing = failing
        self._mirrors.lose(self.board)
        self._noticed()

    async def _work_off(self) -> None:
        """Tell the board what is watched here, and what is no more.

        What comes within a moment is one call. A submission is asked about again only after the
        answer to the call before.
        """
        while True:
            await self._has_pending.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            some = {self._pending.pop() for _ in range(min(len(self._pending), _MOST_AT_ONCE))}
            if not self._pending:
                self._has_pending.clear()
            await self._settle(some)

    async def _settle(self, submissions: Collection[str]) -> None:
        """Ask the board about submissions, each by what has become of its mirror."""
        begun: dict[str, Mirror] = {}
        left: dict[str, Mirror | None] = {}
        for submission in submissions:
            mirror = self._mirrors.get(submission)
            if mirror is None:  # another board let it go before this one was asked to
                left[submission] = None
            elif not mirror.watchers:
                # Now: who begins to watch meanwhile sees that the board must be asked again.
                mirror.known.clear()
                mirror.answered.discard(self.board)
                left[submission] = mirror
            elif self.board not in mirror.answered:
                begun[submission] = mirror
        if begun or left:
            snapshots = await self._asked(tuple(begun), tuple(left))
            for submission, mirror in begun.items():
                mirror.begin(self.board, snapshots[submission])
                self._mirrors.settle(mirror)
            for submission, was in left.items():
                self._leave(submission, was)

    async def _asked(
        self, begun: Sequence[str], left: Sequence[str]
    ) -> Mapping[str, Sequence[Event]]:
        """Call the board; while it takes long, no watcher waits for it."""
        loop = asyncio.get_running_loop()
        late = loop.call_later(_LATE_SECONDS, self._mirrors.be_late, self.board)
        try:
            snapshots = await self.live.watch(self._follower, begun, left)
        finally:
            late.cancel()
            self._mirrors.late.discard(self.board)
        if snapshots is None:
            raise Unavailable("the board does not know this follower any more")
        return snapshots

    def _leave(self, submission: str, mirror: Mirror | None) -> None:
        if mirror and mirror.watchers:  # another watcher came meanwhile
            self.ask(submission)
        else:
            self._mirrors.drop(submission)


def _is_cancelled() -> bool:
    """Tell whether this asyncio task is cancelled: a task group that fails then hides it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
