"""A request for pictures that goes out before its turn, all but its last byte."""

import asyncio
from collections.abc import AsyncGenerator

import httpx

from deployments.runtimes.sdwebui.server import Server

# Proxies hang up on a request that does not go on, some after 10 s; and where the one before takes
# longer, the milliseconds that are gained here are nothing.
_HELD_SECONDS = 5.0


class Ahead:
    """One request; it begins when its last byte comes. To be closed."""

    def __init__(self, server: Server, path: str, content: bytes) -> None:
        self._server = server
        self._path = path
        self._content = content
        self._turn = asyncio.Event()
        self._sending = asyncio.create_task(server.generate(path, self._held(), len(content)))

    async def answer(self) -> httpx.Response:
        """Let it begin; the answer, begun.

        Raises:
            TaskFailed, RuntimeUnavailable: the server refused, or broke off.
        """
        self._turn.set()
        try:
            return await self._sending
        except TimeoutError:  # its last byte was never sent, so it is no second try
            return await self.again()

    async def again(self) -> httpx.Response:
        """The answer to the same request, sent whole."""
        return await self._server.generate(self._path, self._content, len(self._content))

    async def aclose(self) -> None:
        """Hang up, unless it was answered; where its turn never came, it never began."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)

    async def _held(self) -> AsyncGenerator[bytes, None]:
        yield self._content[:-1]
        async with asyncio.timeout(_HELD_SECONDS):
            await self._turn.wait()
        yield self._content[-1:]
