"""Loops of one process: a task for each queue, with their health and their drain."""

import asyncio
from collections.abc import Mapping
from typing import Protocol


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
        self._draining = False

    def check_health(self) -> None:
        """Raise `RuntimeError` if a loop has ended without a drain: it would go unnoticed else."""
        if self._draining:
            return
        for name, task in self._tasks.items():
            if task.done():
                raise RuntimeError(f"the worker of {name} ended") from _error(task)

    async def drain(self, seconds: float) -> None:
        """Receive no more; wait so many seconds for what is leased, then hand it back.

        Handing back may take as long again.
        """
        self._draining = True
        for loop in self.loops.values():
            loop.drain()
        _, late = await asyncio.wait(self._tasks.values(), timeout=seconds)
        for task in late:
            task.cancel()
        if late:  # asyncio.wait refuses an empty set
            await asyncio.wait(late, timeout=seconds)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    # Of a cancelled task `exception()` raises instead of returning it.
    return None if task.cancelled() else task.exception()
