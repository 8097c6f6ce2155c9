"""Loops of one process: a task for each queue, with their health and their drain."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

HasTime = Callable[[], Awaitable[bool]]
"""Tell whether what is under way may go on to its end, however long that takes."""


async def _never() -> bool:
    return False


class Loop(Protocol):
    """Loop over one queue, such as a `Worker`."""

    async def work(self) -> None:
        """Work until `drain`; return when everything that is leased has ended."""

    def drain(self) -> None:
        """Receive no more."""


class Loops:
    """Runs the loops of all queues, from its construction inside an event loop on."""

    def __init__(self, loops: Mapping[str, Loop]) -> None:
        self.loops = loops
        self._tasks = {
            name: asyncio.create_task(loop.work(), name=f"ingest {name}")
            for name, loop in loops.items()
        }
        self.draining = False
        """Flag: nothing is received any more."""

    def check_health(self) -> None:
        """Raise `RuntimeError` if a loop has ended without a drain: it would go unnoticed else."""
        if self.draining:
            return
        for name, task in self._tasks.items():
            if task.done():
                raise RuntimeError(f"the worker of {name} ended") from _error(task)

    async def drain(self, seconds: float, has_time: HasTime = _never) -> None:
        """Receive no more; wait so many seconds for what is leased, then hand it back.

        Handing back may take as long again. ``has_time`` is asked each second; the seconds begin
        once it says that there is no time.
        """
        self.draining = True
        for loop in self.loops.values():
            loop.drain()
        late = {task for task in self._tasks.values() if not task.done()}
        while late and await has_time():
            _, late = await asyncio.wait(late, timeout=1)
        if late:  # asyncio.wait refuses an empty set
            _, late = await asyncio.wait(late, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=seconds)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    # Of a cancelled task `exception()` raises instead of returning it.
    return None if task.cancelled() else task.exception()
