"""Bundles of updates: what a run tells in quick succession goes through Ray as one item.

An item costs milliseconds of CPU time, and a fast model makes its steps within the time in which
nobody sees one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from models.event import Update
from models.report import Progress

Bundle = tuple[Update, ...]
"""Updates in their order, one at least."""


async def bundled(
    updates: AsyncGenerator[Update, None], seconds: float
) -> AsyncGenerator[Bundle, None]:
    """Yield updates in bundles: progress waits for what follows, so many seconds at most.

    A stage or a report goes at once, with the progress before it. Of progress that goes together
    there is only the newest, and the newest preview: whoever watches is shown no more.
    """
    gathered = _Gathered(seconds)

    async def read() -> None:
        async with aclosing(updates):
            async for update in updates:
                gathered.add(update)

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: gathered.due.set())
    try:
        while gathered.updates or not reading.done():
            await gathered.due.wait()
            if bundle := gathered.take():
                yield bundle
        await reading  # for what it raised
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Gathered:
    """Updates that wait for others, progress for so many seconds at most."""

    def __init__(self, seconds: float) -> None:
        self.updates: list[Update] = []
        self.due = asyncio.Event()
        """Set when what has been gathered is to go."""
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def add(self, update: Update) -> None:
        if isinstance(update, Progress):
            self.updates = [each for each in self.updates if not _is_outdated(each, update)]
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(self._seconds, self.due.set)
        else:
            self.due.set()
        self.updates.append(update)

    def take(self) -> Bundle:
        """Take all that has been gathered; what follows is gathered anew."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.due.clear()
        bundle = tuple(self.updates)
        self.updates.clear()
        return bundle


def _is_outdated(update: Update, newer: Progress) -> bool:
    """Tell whether newer progress takes the place of an update; a picture needs a newer one."""
    return isinstance(update, Progress) and (update.preview is None or newer.preview is not None)
