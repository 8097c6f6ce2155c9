"""Places at the replicas of a runtime, for which runs wait here."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

from models.event import Update
from models.ports import Runner
from models.task import Task


class Places(Runner):
    """Replicas that get no more runs at once than they admit; others wait, the first comes first.

    A run that waited at Serve while no replica is there would start one past the scaling policy,
    and Serve asks that no more until it runs. There is no limit until one is set.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._count = math.inf
        self._taken = 0
        self._waiting = deque[asyncio.Future[None]]()

    def resize(self, count: float) -> None:
        """Let so many runs be there at once from now on; those that are there stay."""
        self._count = count
        self._fill()

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        async with self._place(), aclosing(self._runner.run(task, attempt)) as updates:
            async for update in updates:
                yield update

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._fill()
        try:
            await place
            yield
        finally:
            if place.cancelled():  # with the caller
                with suppress(ValueError):
                    self._waiting.remove(place)
            else:
                self._taken -= 1
                self._fill()

    def _fill(self) -> None:
        while self._waiting and self._taken < self._count:
            place = self._waiting.popleft()
            if not place.cancelled():
                self._taken += 1
                place.set_result(None)
