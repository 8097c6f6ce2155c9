"""Whose turn it is on the server, which draws one picture at a time and has one checkpoint."""

import asyncio

_HEAD_START_SECONDS = 0.01


class ServerLock:
    """Entered by one task at a time; another one may get ready, or put its pictures away."""

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
            # Decoding pictures holds up the loop for milliseconds, and the GPU with it, unless
            # the next request has gone out before.
            await asyncio.sleep(_HEAD_START_SECONDS)
