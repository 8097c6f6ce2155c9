"""Work that a cancellation must not cut short."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def run_to_end(work: Awaitable[T]) -> T:
    """Wait for work to end even when cancelled, however long it takes; then be cancelled.

    An error of the work is raised in the place of the cancellation.
    """
    running, cancelled = asyncio.ensure_future(work), False
    while not running.done():
        try:
            # `await running` would pass the cancellation on to the work; this leaves it alone.
            await asyncio.wait([running])
        except asyncio.CancelledError:
            cancelled = True
    result = running.result()
    if cancelled:
        raise asyncio.CancelledError
    return result
