"""Actions that a drain lets end: what was begun is not left half done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def to_the_end(action: Coroutine[Any, Any, Answer], seconds: float) -> Answer:
    """Await an action; one that is cancelled meanwhile has so many seconds to end.

    Raises:
        CancelledError: it was cancelled; the action has ended by then, in one way or another.
    """
    acting = asyncio.create_task(action)
    try:
        return await asyncio.shield(acting)
    except asyncio.CancelledError:
        await asyncio.wait([acting], timeout=seconds)
        raise
    finally:
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
