"""A request to a server that goes out before its turn, all but its last byte."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx

# Proxies hang up on a request that does not go on, some after 10 s; and where the one before takes
# longer, the milliseconds that are gained here are nothing.
_HELD_SECONDS = 5.0

Send = Callable[[bytes | AsyncGenerator[bytes], int], Awaitable[httpx.Response]]
"""Sends a body of so many bytes; the answer."""


class HeldRequest:
    """One request; it begins when its last byte comes. To be closed."""

    def __init__(self, send: Send, content: bytes) -> None:
        self._send = send
        self._content = content
        self._turn = asyncio.Event()
        self._sending = asyncio.ensure_future(send(self._held(), len(content)))

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
        return await self._send(self._content, len(self._content))

    async def aclose(self) -> None:
        """Hang up, unless it was answered; where its turn never came, it never began."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)

    async def _held(self) -> AsyncGenerator[bytes, None]:
        yield self._content[:-1]
        async with asyncio.timeout(_HELD_SECONDS):
            await self._turn.wait()
        yield self._content[-1:]
