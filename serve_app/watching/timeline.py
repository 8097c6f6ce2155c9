"""Timeline of a task up to its end, from the feed and the ledger."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from models.errors import Unavailable
from models.event import Event
from models.report import Progress, Report, Stage, Status
from serve_app.watching.feed import Feed
from serve_app.watching.mirror import Watcher

LEDGER = "ledger"
"""Boot of events that the ledger gave, and of every task's end, wherever that came from."""

StillAdmitted = Callable[[], Awaitable[bool]]
"""Function that tells whether the API key of a client still admits its holder."""


async def timeline(
    feed: Feed, report: Report, boot: str = "", number: int = 0
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield a task's events as they come, first those that are known; its end is the last.

    Of ``boot`` of the board, only events after ``number``. Yields an empty sequence where a tick
    of the feed passes without an event. A slow reader gets the newest progress, not all of it.
    """
    if report.ended:
        yield [_from_ledger(report)]
        return
    async with feed.watching(report.submission) as watcher:
        if not any(isinstance(event.update, Report) for event in watcher.all):
            yield [_from_ledger(report)]
        checks = _LedgerChecks(feed, report, watcher)
        while True:
            events = _to_the_end(watcher.since(boot, number) or await checks.check())
            yield events
            if events and ended(events[-1]):
                return
            if events and events[-1].boot != LEDGER:
                boot, number = events[-1].boot, events[-1].number
            await watcher.news(feed.intervals.tick)


async def while_admitted(
    stream: AsyncGenerator[Sequence[Event], None], feed: Feed, still_admitted: StillAdmitted
) -> AsyncGenerator[Sequence[Event], None]:
    """Yield events until the client's key is refused, which is checked once in a tick."""
    checked_at = feed.clock()
    async with aclosing(stream):
        async for events in stream:
            if feed.clock() - checked_at >= feed.intervals.tick:
                if not await still_admitted():
                    return
                checked_at = feed.clock()
            yield events


async def end_of(
    feed: Feed, report: Report, seconds: float, still_admitted: StillAdmitted | None = None
) -> Report | None:
    """Wait for the end of a task, at most so many seconds, and while the client is admitted."""
    stream = timeline(feed, report)
    if still_admitted is not None:
        stream = while_admitted(stream, feed, still_admitted)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(stream):
            async for events in stream:
                if events and (last := ended(events[-1])):
                    return last
    return None


@dataclass(frozen=True, kw_only=True)
class Run:
    """Newest state of a task's run."""

    stage: Stage = Stage.RUNNING
    progress: Progress | None = None


async def run_of(feed: Feed, submission: str) -> Run:
    """Return the newest state of a task's run, as far as it is known here."""
    if not await feed.ready():
        return Run()
    async with feed.watching(submission) as watcher:
        updates = [event.update for event in watcher.all]
        stages = [each for each in updates if isinstance(each, Stage)]
        progress = [each for each in updates if isinstance(each, Progress)]
        return Run(
            stage=stages[-1] if stages else Stage.RUNNING,
            progress=progress[-1] if progress else None,
        )


def ended(event: Event) -> Report | None:
    """Return the report on a task's end, if the event is its end."""
    return event.update if isinstance(event.update, Report) and event.update.ended else None


class _LedgerChecks:
    """Reads of the ledger by one watcher."""

    def __init__(self, feed: Feed, report: Report, watcher: Watcher) -> None:
        self.feed = feed
        self.report = report
        self.watcher = watcher
        self._last = feed.clock()

    @property
    def _is_alone(self) -> bool:
        """Flag: the board of the task may not be heard, such as that of an ingest that drains."""
        is_untold = self.report.status is Status.RUNNING and not self.watcher.all
        return self.watcher.is_lost or is_untold or not self.feed.connected

    async def check(self) -> Sequence[Event]:
        """Read the ledger if that is due; return an event if the board might not bring it."""
        feed, intervals = self.feed, self.feed.intervals
        alone = self._is_alone
        pause = intervals.ledger_check_alone if alone else intervals.ledger_check
        if feed.clock() - self._last < pause:
            return ()
        self._last = feed.clock()
        with suppress(Unavailable):
            found = await feed.ledger.find(self.report.id, self.report.submission)
            # Where a board tells of the task all but its end comes from there, numbered in order.
            if found and (found.ended or alone):
                return (_from_ledger(found),)
        return ()


def _from_ledger(report: Report) -> Event:
    number = int(report.ended)  # an end has the same id wherever it was heard of
    return Event(submission=report.submission, boot=LEDGER, number=number, update=report)


def _to_the_end(events: Sequence[Event]) -> Sequence[Event]:
    """Cut events behind the task's end: another delivery may have published more."""
    for n, event in enumerate(events):
        if last := ended(event):
            return (*events[:n], _from_ledger(last))
    return events
