"""HTTP request that is sent ahead of its turn, all but its last byte."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import httpx

# Proxies hang up on a request that does not go on, some after 10 s. If the task before takes longer
# than this, the milliseconds that holding a request gains do not matter.
_HELD_SECONDS = 5.0

Send = Callable[[bytes | AsyncGenerator[bytes], int], Awaitable[httpx.Response]]
"""Sends a body of so many bytes, and returns the answer."""


class HeldRequest:
    """Request whose body is sent but for its last byte, until `answer` is called.

    A server begins to work on it when the last byte comes. To be closed with `aclose`.
    """

    def __init__(self, send: Send, content: bytes) -> None:
        self._send = send
        self._content = content
        self._released = asyncio.Event()
        self._sending = asyncio.ensure_future(send(self._body(), len(content)))

    async def answer(self) -> httpx.Response:
        """Send the last byte, and return the answer; its body may still be under way.

        A request that was held for more than 5 s is sent anew.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        self._released.set()
        try:
            return await self._sending
        # The body's own, passed on by httpx, whose time-outs are no `TimeoutError`.
        except TimeoutError:  # its last byte was never sent, so the server did not begin
            return await self.again()

    async def again(self) -> httpx.Response:
        """Send the same request once more, whole, and return the answer.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        return await self._send(self._content, len(self._content))

    async def aclose(self) -> None:
        """Hang up unless it was answered; a request whose last byte was not sent never began."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)

    async def _body(self) -> AsyncGenerator[bytes, None]:
        # A byte is enough: JSON cannot be read before all bytes of the announced length are there.
        yield self._content[:-1]
        async with asyncio.timeout(_HELD_SECONDS):
            await self._released.wait()
        yield self._content[-1:]
