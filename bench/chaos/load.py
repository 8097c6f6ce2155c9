"""Load of a run: keeps a backlog of tasks with the platform until all are sent."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from bench.chaos.listeners import Inbox
from bench.chaos.plan import Fate, Plan
from bench.chaos.senders import Senders
from bench.chaos.story import Story

_SENDERS = 16
"""Clients that send at once."""
_POLL_SECONDS = 0.02
_COUNT_SECONDS = 0.1


class Load:
    """Load: the plans that are sent, and the stories that they become."""

    def __init__(
        self, plans: Iterator[Plan], senders: Senders, inbox: Inbox, *, backlog: int
    ) -> None:
        self.stories: list[Story] = []
        self.is_over = False
        """Flag: all tasks have ended, or the time is over."""
        self._plans = plans
        self._senders = senders
        self._inbox = inbox
        self._backlog = backlog
        self.ended = 0
        """Number of tasks that have ended, or never will be told of."""
        self._untold: set[str] = set()
        """Ids of tasks that may have no notification: refused, or never accepted."""

    async def run(self, seconds: float, drain_seconds: float, show: Callable[[], None]) -> None:
        """Send tasks for so long at most, then wait until all have ended, for so long at most."""
        end = time.monotonic() + seconds
        counting = asyncio.create_task(self._count(show))
        async with asyncio.TaskGroup() as group:
            for _ in range(_SENDERS):
                group.create_task(self._send(group, end))
        end = time.monotonic() + drain_seconds
        while self.ended < len(self.stories) and time.monotonic() < end:  # noqa: ASYNC110 - counted by a thread
            await asyncio.sleep(_POLL_SECONDS)
        self.is_over = True
        await counting

    async def _send(self, group: asyncio.TaskGroup, end: float) -> None:
        """Send plans one after another, while the backlog has room."""
        while time.monotonic() < end:
            if len(self.stories) - self.ended >= self._backlog:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            with suppress(StopIteration):
                story = Story(plan=next(self._plans))
                self.stories.append(story)
                await self._senders.send(story)
                if not story.accepted or story.plan.fate is Fate.REFUSED:
                    self._untold.add(story.plan.id)
                elif story.plan.cancel_after:
                    group.create_task(self._senders.cancel(story))
                continue
            return

    async def _count(self, show: Callable[[], None]) -> None:
        while not self.is_over:
            self.ended = len(self._inbox.told_at.keys() | self._untold)
            show()
            await asyncio.sleep(_COUNT_SECONDS)
