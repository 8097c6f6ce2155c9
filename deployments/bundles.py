"""Bundles of updates: what a run tells in quick succession goes through Ray as one item.

An item costs more than a millisecond of CPU time, and a fast model makes its steps within the time
in which nobody sees one.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from models.event import Update
from models.report import Progress

Bundle = tuple[Update, ...]
"""Updates in their order, one at least."""


async def bundled(
    updates: AsyncGenerator[Update, None], seconds: float
) -> AsyncGenerator[Bundle, None]:
    """Yield updates in bundles: progress waits for what follows, so many seconds at most.

    A stage or a report goes at once, with the progress before it.
    """
    told: list[Update] = []
    urgent = asyncio.Event()

    async def read() -> None:
        async with aclosing(updates):
            async for update in updates:
                told.append(update)
                if not isinstance(update, Progress):
                    urgent.set()

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _: urgent.set())
    try:
        while told or not reading.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await urgent.wait()
            urgent.clear()
            if told:
                bundle = tuple(told)
                told.clear()
                yield bundle
        await reading  # for what it raised
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
