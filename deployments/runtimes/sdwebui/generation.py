"""Generation under way on the server: its progress, its end on demand, its answer."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import httpx

from deployments.runtimes.sdwebui.progress import ProgressPoller
from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskError
from models.report import Progress

_INTERRUPT_SECONDS = 1  # the server forgets one that comes before the generation has begun


class Generation:
    """Request that is being answered; the server has no name for it by which to end it."""

    def __init__(self, server: Server, request: Coroutine[Any, Any, httpx.Response]) -> None:
        self._server = server
        self._taken = False
        self._request = asyncio.create_task(request)
        self._request.add_done_callback(_retrieve_error)

    async def progress(
        self, poller: ProgressPoller, every: float
    ) -> AsyncGenerator[Progress, None]:
        """Yield each step forward until the server has answered; ``every`` is in seconds."""
        while not await self._ends_within(every):
            poll = asyncio.create_task(poller.poll())
            try:
                # A busy server answers a poll late; the picture does not wait for it.
                await asyncio.wait({poll, self._request}, return_when=asyncio.FIRST_COMPLETED)
                progress = poll.result() if poll.done() else None
            finally:
                poll.cancel()
                await asyncio.wait({poll})
            if progress:
                yield progress

    async def answer(self) -> httpx.Response:
        """Return the server's answer, whose body may still be under way; the caller closes it.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        answer = await self._request
        self._taken = True
        return answer

    async def stop(self, seconds: float) -> bool:
        """Interrupt the generation until the server answers it; the partial picture is dropped.

        False if the server did not obey within so many seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._request.done():
                    with contextlib.suppress(TaskError):
                        await self._server.post(f"{API}/interrupt", quick=True)
                    await self._ends_within(_INTERRUPT_SECONDS)
        obeyed = self._request.done()  # before the cancel, after which it always is
        self._request.cancel()
        await asyncio.wait({self._request})
        await self._close_unread()
        return obeyed

    async def _close_unread(self) -> None:
        request = self._request
        if not (self._taken or request.cancelled() or request.exception()):
            await request.result().aclose()  # unread, it would keep its connection for good

    async def _ends_within(self, seconds: float) -> bool:
        ended, _ = await asyncio.wait({self._request}, timeout=seconds)
        return bool(ended)


def _retrieve_error(ended: asyncio.Task[httpx.Response]) -> None:
    """Take the error of a generation that was left, which asyncio would log otherwise."""
    if not ended.cancelled():
        ended.exception()
