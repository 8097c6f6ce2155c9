"""What happens to a task, up to its end: as the feed says, or the ledger."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress

from models.errors import Unavailable
from models.event import Event
from models.progress import Progress
from models.report import Report
from serve_app.watching.feed import Feed

LEDGER = "ledger"
"""The boot of what the ledger says, and of a task's end, whoever says that."""

LetIn = Callable[[], Awaitable[bool]]
"""Whether the API key of whom it is told still lets its holder in."""


async def timeline(
    feed: Feed, report: Report, boot: str = "", number: int = 0
) -> AsyncGenerator[Sequence[Event], None]:
    """What happens to a task, as it happens; first what is known. Its end is the last.

    Of what this boot of the board said, only what came after that number. Comes empty-handed now
    and then. A slow reader is told the newest progress, not all of it.
    """
    if report.ended:
        yield [_in_ledger(report)]
        return
    async with feed.watching(report.submission) as watcher:
        if not any(isinstance(event.update, Report) for event in watcher.all):
            yield [_in_ledger(report)]
        looks = _Looks(feed, report)
        while True:
            events = _to_the_end(watcher.since(boot, number) or await looks.look())
            yield events
            if events and ended(events[-1]):
                return
            if events and events[-1].boot != LEDGER:
                boot, number = events[-1].boot, events[-1].number
            await watcher.news(feed.rhythm.tick)


async def while_let_in(
    happened: AsyncGenerator[Sequence[Event], None], feed: Feed, let_in: LetIn
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield what happens, until the key is refused; the key is looked at once in a tick."""
    looked = feed.clock()
    async with aclosing(happened):
        async for events in happened:
            if feed.clock() - looked >= feed.rhythm.tick:
                if not await let_in():
                    return
                looked = feed.clock()
            yield events


async def end_of(
    feed: Feed, report: Report, seconds: float, let_in: LetIn | None = None
) -> Report | None:
    """Wait for how a task ends: at most so many seconds, and only while its key is let in."""
    stream = timeline(feed, report)
    if let_in is not None:
        stream = while_let_in(stream, feed, let_in)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(stream):
            async for events in stream:
                if events and (last := ended(events[-1])):
                    return last
    return None


async def progress_of(feed: Feed, submission: str) -> Progress | None:
    """The newest, if ingest is heard."""
    feed.start()
    if not feed.connected:
        return None
    async with feed.watching(submission) as watcher:
        said = [event.update for event in watcher.all]
        return next((one for one in reversed(said) if isinstance(one, Progress)), None)


def ended(event: Event) -> Report | None:
    """How it ended, if this is its end."""
    return event.update if isinstance(event.update, Report) and event.update.ended else None


class _Looks:
    """A watcher's looks at the ledger."""

    def __init__(self, feed: Feed, report: Report) -> None:
        self.feed = feed
        self.report = report
        self._last = feed.clock()

    async def look(self) -> Sequence[Event]:
        """What the ledger says, if it is time to look and the board might not say it."""
        feed, rhythm = self.feed, self.feed.rhythm
        pause = rhythm.look if feed.connected else rhythm.look_alone
        if feed.clock() - self._last < pause:
            return ()
        self._last = feed.clock()
        with suppress(Unavailable):
            found = await feed.ledger.find(self.report.id, self.report.submission)
            if found and (found.ended or not feed.connected):
                return (_in_ledger(found),)
        return ()


def _in_ledger(report: Report) -> Event:
    number = int(report.ended)
    return Event(submission=report.submission, boot=LEDGER, number=number, update=report)


def _to_the_end(events: Sequence[Event]) -> Sequence[Event]:
    """No more than up to its end: another delivery may have said more."""
    for n, event in enumerate(events):
        if last := ended(event):
            return (*events[:n], _in_ledger(last))
    return events
