"""A loop that receives deliveries while there is room, and outlives whatever one of them does.

What a delivery means is left to its subclass.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence

from models.errors import AtelierError, Unavailable
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

_BATCH = 10  # the most that one receive gives
_LONGEST_PAUSE = 30.0


class Receiver(ABC):
    """Receives from a queue, and handles up to ``capacity`` deliveries at once."""

    def __init__(self, queue: Queue, capacity: int) -> None:
        self.queue = queue
        self.capacity = capacity
        """Deliveries leased at once; the rest stays visible in the queue."""
        self._leased = 0
        self._room = asyncio.Event()
        self._pause = 0.0
        self._draining = False

    @abstractmethod
    async def handle(self, delivery: Delivery) -> None:
        """Bring one delivery to an end.

        Raises:
            Unavailable: a part of the platform is away; it comes back when its lease ends.
        """

    async def work(self) -> None:
        """Receive and handle until `drain`; returns when all that is leased has ended."""
        async with asyncio.TaskGroup() as group:
            while not self._draining:
                await asyncio.sleep(self._pause)
                for delivery in await self._receive():
                    self._leased += 1
                    group.create_task(self._bring(delivery))

    def drain(self) -> None:
        """Receive no more.

        A poll under way is left to its end: cancelled, it would keep what it was about to bring
        invisible until the lease ends.
        """
        self._draining = True

    async def _receive(self) -> Sequence[Delivery]:
        """What there is room for; nothing any more once we drain."""
        while self._leased >= self.capacity:
            self._room.clear()
            await self._room.wait()
        if self._draining:
            return ()
        try:
            got = await self.queue.receive(min(_BATCH, self.capacity - self._leased))
            if not self._draining:
                return got
            await asyncio.gather(*(self.queue.extend(each, 0) for each in got))
        except Unavailable as exc:
            self._slow_down(exc)
        return ()

    async def _bring(self, delivery: Delivery) -> None:
        try:
            await self.handle(delivery)
            self._pause = 0.0
        except Unavailable as exc:
            self._slow_down(exc)
        except AtelierError as exc:
            log.warning("handed_back", extra={"message_id": delivery.id, "why": str(exc)})
        except Exception:  # whatever one message does to us, the next is received
            log.exception("delivery_broke", extra={"message_id": delivery.id})
        finally:
            self._leased -= 1
            self._room.set()

    def _slow_down(self, exc: Unavailable) -> None:
        self._pause = min(_LONGEST_PAUSE, max(0.5, self._pause * 2))
        log.warning("platform_unavailable", extra={"why": str(exc), "pause": self._pause})
