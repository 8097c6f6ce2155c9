"""Lock of a server, which draws one picture at a time and has one checkpoint loaded."""

import asyncio

_GRACE_SECONDS = 0.01


class ServerLock:
    """Held by one task at a time; another one may get ready, or put its pictures away."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def __aenter__(self) -> None:
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        if self._waiting:
            # Decoding this task's pictures holds up the event loop for milliseconds. Let the next
            # request go out before, or the GPU waits for it.
            await asyncio.sleep(_GRACE_SECONDS)
