"""Ingest as one process: a loop for each queue, their health and their drain."""

import asyncio
from collections.abc import Mapping
from typing import Protocol


class Loop(Protocol):
    """Receives from one queue, such as a `Worker`."""

    async def work(self) -> None:
        """Until `drain`; returns when all that it holds has ended."""

    def drain(self) -> None:
        """Receive no more."""


class Loops:
    """Owns the loops; made inside a running event loop."""

    def __init__(self, workers: Mapping[str, Loop]) -> None:
        self.workers = workers
        self._tasks = {
            name: asyncio.create_task(worker.work(), name=f"ingest {name}")
            for name, worker in workers.items()
        }
        self._draining = False

    def check_health(self) -> None:
        """Raise what ended a worker that should still work: a dead one is silent otherwise."""
        if self._draining:
            return
        for name, task in self._tasks.items():
            if task.done():
                raise RuntimeError(f"the worker of {name} ended") from _error(task)

    async def drain(self, seconds: float) -> None:
        """Receive no more; wait so long for what is leased, then hand it back."""
        self._draining = True
        for worker in self.workers.values():
            worker.drain()
        _, late = await asyncio.wait(self._tasks.values(), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=seconds)


def _error(task: asyncio.Task[None]) -> BaseException | None:
    return None if task.cancelled() else task.exception()
