"""Presence of a deployment's replicas, as the router of its handles in this process knows it."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Any


class Presence:
    """Names of the replicas that run, as the router last heard."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def update(self, names: Collection[str]) -> None:
        """Take the names of those that run now; may be called in any thread."""
        if self.names != (names := frozenset(names)):
            self.names = names
            for event, loop in tuple(self._waiting.items()):
                loop.call_soon_threadsafe(event.set)

    async def change(self, known: Collection[str]) -> None:
        """Wait, without a deadline, until the names are not the known ones."""
        changed = asyncio.Event()
        self._waiting[changed] = asyncio.get_running_loop()
        try:
            while self.names == frozenset(known):
                changed.clear()
                await changed.wait()
        finally:
            del self._waiting[changed]


_PRESENT: dict[Any, Presence] = defaultdict(Presence)


def presence(deployment_id: Any) -> Presence:
    """Return which replicas of a deployment run; none before its handle knows them."""
    return _PRESENT[deployment_id]
