"""Followers of the board: the HTTP APIs that relay events to their clients."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from models.event import Event, Snapshot


class Follower:
    """Subscription of one HTTP API: the submissions that it watches, and events not yet sent to it.

    A slow follower misses old progress, never a report: what waits for it is kept as snapshots.
    """

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self._pending: dict[str, Snapshot] = {}
        self._added = asyncio.Event()

    def add(self, event: Event) -> None:
        """Queue an event if its submission is watched."""
        if event.submission in self.watched:
            self._pending.setdefault(event.submission, Snapshot()).add(event)
            self._added.set()

    async def take(self) -> Sequence[Event]:
        """Wait for events without a deadline; take all that are queued."""
        await self._added.wait()
        # Nothing awaits from here to the swap, so no event falls between the two.
        self._added.clear()
        pending, self._pending = self._pending, {}
        return [event for snapshot in pending.values() for event in snapshot.since(0)]


class Followers:
    """Followers by their names."""

    def __init__(self) -> None:
        self._followers: dict[str, Follower] = {}

    def publish(self, event: Event) -> None:
        """Queue an event for each follower that watches its submission."""
        for follower in self._followers.values():
            follower.add(event)

    def get(self, name: str) -> Follower | None:
        """Find a follower while it follows."""
        return self._followers.get(name)

    @contextmanager
    def following(self, name: str) -> Iterator[Follower]:
        """Subscribe under a name while the block runs, in place of an older one of that name."""
        follower = self._followers[name] = Follower()
        try:
            yield follower
        finally:
            if self._followers.get(name) is follower:
                del self._followers[name]
