"""Renewal of a replica's leaking backend between two tasks, and the replica's health meanwhile."""

import asyncio
import logging
import time

from deployments.renewal_turns import RenewalTurns
from deployments.replica import Replica

log = logging.getLogger("ray.serve.atelier.replica")


class Renewal:
    """Renews one replica's backend when it is bloated and no other replica's is being renewed."""

    def __init__(self, replica: Replica, turns: RenewalTurns) -> None:
        self.replica = replica
        self.turns = turns
        self._running: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Raise if no further task can be run; what a renewal is about to mend does not count.

        Raises:
            RuntimeUnavailable: the backend is gone, or its renewal failed.
        """
        if self._running is None:
            await self.replica.check()
        elif self._running.done():
            # Ended and still here means failed: a renewal that succeeds takes itself away.
            self._running.result()

    async def renew_if_due(self) -> None:
        """Begin a renewal if the backend is bloated and no other replica has the turn.

        To be called more often than a turn ends by itself: a call keeps the turn of a renewal that
        is under way.
        """
        if self._running is not None:
            await self.turns.take(self.replica.name)
        # In this order: a turn that is taken for nothing keeps the others waiting for a minute.
        elif await self._is_bloated() and await self.turns.take(self.replica.name):
            self._running = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """Give up a renewal under way."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _is_bloated(self) -> bool:
        return await asyncio.to_thread(self.replica.adapter.is_bloated)

    async def _renew(self) -> None:
        began = time.monotonic()
        # If this fails, the turn is not given back: it lapses while the replica is replaced.
        await self.replica.renew()
        await self.turns.give_back(self.replica.name)
        self._running = None
        seconds = round(time.monotonic() - began, 1)
        log.info("replica_renewed", extra={"replica": self.replica.name, "seconds": seconds})
