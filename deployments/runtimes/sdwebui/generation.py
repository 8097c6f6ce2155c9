"""One generation under way: told how far it is, ended on demand and then waited for."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import httpx

from deployments.runtimes.sdwebui.progress import ProgressPoller
from deployments.runtimes.sdwebui.server import API, Server
from models.errors import TaskError
from models.progress import Progress

_AGAIN_SECONDS = 1  # the server forgets an interrupt that comes before the generation has begun


class Generation:
    """A request that is being answered; the server has no name for it to end it by."""

    def __init__(self, server: Server, request: Coroutine[Any, Any, httpx.Response]) -> None:
        self._server = server
        self._taken = False
        self._request = asyncio.create_task(request)
        self._request.add_done_callback(_heed)

    async def progress(
        self, poller: ProgressPoller, every: float
    ) -> AsyncGenerator[Progress, None]:
        """Each step forward, until it is answered."""
        while not await self._ends_within(every):
            look = asyncio.create_task(poller.poll())
            try:
                await asyncio.wait({look, self._request}, return_when=asyncio.FIRST_COMPLETED)
                told = look.result() if look.done() else None
            finally:
                look.cancel()
                await asyncio.wait({look})
            if told:
                yield told

    async def answer(self) -> httpx.Response:
        """The server's answer, begun; who takes it closes it.

        Raises:
            TaskFailed, RuntimeUnavailable: the server refused, or broke off.
        """
        answer = await self._request
        self._taken = True
        return answer

    async def stop(self, seconds: float) -> bool:
        """Interrupt it until it is answered, by a partial picture which nobody sees.

        False where the server does not obey.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._request.done():
                    with contextlib.suppress(TaskError):
                        await self._server.post(f"{API}/interrupt", quick=True)
                    await self._ends_within(_AGAIN_SECONDS)
        obeyed = self._request.done()
        self._request.cancel()
        await asyncio.wait({self._request})
        await self._leave_unread()
        return obeyed

    async def _leave_unread(self) -> None:
        ended = self._request
        if not (self._taken or ended.cancelled() or ended.exception()):
            await ended.result().aclose()

    async def _ends_within(self, seconds: float) -> bool:
        ended, _ = await asyncio.wait({self._request}, timeout=seconds)
        return bool(ended)


def _heed(ended: asyncio.Task[httpx.Response]) -> None:
    """Nobody may ask for the error of a generation that was left; it is not lost, but unwanted."""
    if not ended.cancelled():
        ended.exception()
