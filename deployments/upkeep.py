"""A replica's upkeep: whether it can still work, and a fresh backend for a bloated one."""

import asyncio
import logging
import time

from deployments.replica import Replica
from deployments.turns import Turns

log = logging.getLogger("ray.serve.atelier.replica")


class Upkeep:
    """Watches over one of a runtime's replicas; the others are known by their turns."""

    def __init__(self, replica: Replica, turns: Turns) -> None:
        self.replica = replica
        self.turns = turns
        self._renewal: asyncio.Task[None] | None = None

    @property
    def is_renewing(self) -> bool:
        return self._renewal is not None

    async def check(self) -> None:
        """Raise where no further task can be run; what a renewal is about to mend does not count.

        Raises:
            RuntimeUnavailable: the backend is gone, or its renewal failed.
        """
        if self._renewal is None:
            await self.replica.adapter.check()
        elif self._renewal.done():
            self._renewal.result()

    async def renew_if_due(self) -> None:
        """Begin a renewal if the backend is bloated and no other replica has its turn."""
        if self._renewal is not None:
            await self.turns.take(self.replica.name)  # else it ends by itself
        elif await self._is_bloated() and await self.turns.take(self.replica.name):
            self._renewal = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """Give up a renewal under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _is_bloated(self) -> bool:
        return await asyncio.to_thread(self.replica.adapter.is_bloated)

    async def _renew(self) -> None:
        began = time.monotonic()
        await self.replica.renew()
        await self.turns.give_back(self.replica.name)
        self._renewal = None
        seconds = round(time.monotonic() - began, 1)
        log.info("replica_renewed", extra={"replica": self.replica.name, "seconds": seconds})
