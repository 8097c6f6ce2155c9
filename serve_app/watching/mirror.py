"""Mirrors of the submissions that are watched here, over the boards of all ingest replicas."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress

from models.event import Event, Snapshot
from models.report import Report

MOST_MIRRORED = 10_000
"""Most submissions that are mirrored at once: watched now, or a moment ago."""


class Mirror:
    """Mirror of one submission, with the watchers to be woken by its events.

    A task is at one ingest replica at a time, and may come to another, or be at two where its
    message was delivered twice. The board that knows of its latest attempt is believed; of several
    the one that spoke last. The end of a task is the ledger's, whoever tells it.
    """

    def __init__(self) -> None:
        self.watchers: set[asyncio.Event] = set()
        self.known = asyncio.Event()
        """Set once every board that is not late has sent its snapshot, which events complete."""
        self.answered: set[str] = set()
        """Names of the boards that tell of the submission."""
        self.is_lost = False
        """Flag: the board that was believed is heard no more."""
        self._snapshots: dict[str, Snapshot] = {}
        self._attempts: dict[str, int] = {}
        """Latest attempt that each board has reported; 0 where it has told of none."""
        self._believed = ""
        """Name of the board that is believed."""

    @property
    def events(self) -> list[Event]:
        """Events of the board that is believed, oldest first."""
        snapshot = self._snapshots.get(self._believed)
        return snapshot.since(0) if snapshot else []

    def take(self, board: str, event: Event) -> None:
        """Take in an event of a board."""
        self._snapshots.setdefault(board, Snapshot()).add(event)
        told = event.update.attempt if isinstance(event.update, Report) else 0
        self._attempts[board] = max(told, self._attempts.get(board, 0))
        # A board that was lost has no attempt: any other is believed then.
        is_latest = self._attempts[board] >= self._attempts.get(self._believed, 0)
        if not any(map(_is_end, self.events)) and (is_latest or _is_end(event)):
            self._believed, self.is_lost = board, False
        self.wake()

    def begin(self, board: str, events: Iterable[Event]) -> None:
        """Take a board's snapshot; events that came meanwhile are newer."""
        self.answered.add(board)
        came = self._snapshots.pop(board, Snapshot())
        by_number = {event.number: event for event in (*events, *came.since(0))}
        for number in sorted(by_number):
            self.take(board, by_number[number])

    def forget(self, board: str) -> None:
        """Forget the events of a board: its next ones may be of another boot."""
        self.answered.discard(board)
        self._attempts.pop(board, None)
        if self._snapshots.pop(board, None) and board == self._believed:
            self.is_lost = True
            self.wake()

    def wake(self) -> None:
        """Wake all watchers."""
        for woken in self.watchers:
            woken.set()


def _is_end(event: Event) -> bool:
    return isinstance(event.update, Report) and event.update.ended


class Watcher:
    """Watcher of a submission, who reads at his own pace and misses old progress only."""

    def __init__(self, mirror: Mirror) -> None:
        self.woken = asyncio.Event()
        self._mirror = mirror
        mirror.watchers.add(self.woken)

    @property
    def all(self) -> list[Event]:
        """Events of the submission, oldest first."""
        return self._mirror.events

    @property
    def is_lost(self) -> bool:
        """Flag: who had the task is heard no more, and no other board has told of it since."""
        return self._mirror.is_lost

    def since(self, boot: str, number: int) -> list[Event]:
        """Return later events; all of them if the number is of another boot of a board."""
        return [event for event in self.all if event.boot != boot or event.number > number]

    async def news(self, seconds: float) -> None:
        """Wait for a new event, up to so many seconds."""
        await set_within(seconds, self.woken)
        # Before the next look for events: what comes between the two sets it again.
        self.woken.clear()


class Mirrors:
    """Mirrors by submission, and the boards that are followed."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        """Names of the boards whose streams of events are open."""
        self.late: set[str] = set()
        """Names of the boards that are asked for snapshots and take long to answer."""
        self._mirrors: dict[str, Mirror] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._mirrors))

    def get(self, submission: str) -> Mirror | None:
        """Find the mirror of a submission that is, or was lately, watched."""
        return self._mirrors.get(submission)

    def of(self, submission: str) -> Mirror:
        """Return the mirror of a submission; beyond `MOST_MIRRORED`, one that stays empty.

        Its watchers read the ledger alone.
        """
        if submission not in self._mirrors and len(self._mirrors) >= MOST_MIRRORED:
            return Mirror()
        return self._mirrors.setdefault(submission, Mirror())

    def drop(self, submission: str) -> None:
        """Drop a mirror that nobody watches, and of which no board tells any more."""
        mirror = self._mirrors.get(submission)
        if mirror and not (mirror.watchers or mirror.answered & self.open):
            del self._mirrors[submission]

    def settle(self, mirror: Mirror) -> None:
        """Call a mirror known if every board that answers in time has told of its submission."""
        prompt = self.open - self.late
        if prompt and prompt <= mirror.answered:
            mirror.known.set()
            mirror.wake()

    def be_late(self, board: str) -> None:
        """Wait for a board's snapshots no more, until it has answered."""
        self.late.add(board)
        for mirror in self._mirrors.values():
            self.settle(mirror)

    def lose(self, board: str) -> None:
        """Forget all events of a board whose stream has ended."""
        self.open.discard(board)
        self.late.discard(board)
        for submission, mirror in tuple(self._mirrors.items()):
            mirror.forget(board)
            if not self.open:
                mirror.known.clear()
            self.settle(mirror)
            self.drop(submission)


async def set_within(seconds: float, event: asyncio.Event) -> None:
    """Wait until an event is set, up to so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
