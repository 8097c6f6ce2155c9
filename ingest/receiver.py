"""A receiver: the long poll of a queue, and a task for each delivery that it brings."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.backoff import Backoff
from models.errors import AtelierError, Unavailable
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

_BATCH = 10
"""Most messages that one call of SQS's ReceiveMessage gives."""
LONGEST_PAUSE = 30.0
"""Most seconds between two polls while the platform is unavailable."""
_BACKOFF = Backoff(first=0.5, longest=LONGEST_PAUSE)


@dataclass(kw_only=True, eq=False)
class Receiver(ABC):
    """Receives deliveries while there is room, and outlives whatever handling one of them does.

    What a delivery means is left to subclasses. While the platform is unavailable it pauses before
    each poll, half a second at first and 30 seconds at most.
    """

    queue: Queue
    capacity: int
    """Most deliveries that are leased at once; the rest stays visible in the queue."""
    _leased: int = field(default=0, init=False)
    _room: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    outages: int = field(default=0, init=False)
    """Polls and deliveries so far that found the platform unavailable."""
    _failures: int = field(default=0, init=False)
    """Deliveries in a row that found it so."""
    _failed_polls: int = field(default=0, init=False)
    """Polls in a row that found it so."""
    _draining: bool = field(default=False, init=False)

    @abstractmethod
    async def handle(self, delivery: Delivery) -> None:
        """Bring one delivery to an end.

        Raises:
            Unavailable: a part of the platform is away; it comes back when its lease lapses.
        """

    async def work(self) -> None:
        """Receive and handle until `drain`; return when all that is leased has ended."""
        # Leaving the group waits for what is leased. `_handle_safely` lets no error out, for the
        # first one would end all others.
        async with asyncio.TaskGroup() as group:
            while not self._draining:
                await asyncio.sleep(self._pause)
                for delivery in await self._receive():
                    self._leased += 1
                    group.create_task(self._handle_safely(delivery))

    @property
    def is_slowed_down(self) -> bool:
        """Flag: the platform was unavailable to the last delivery."""
        return self._failures > 0

    @property
    def is_full(self) -> bool:
        """Flag: as much is leased as may be, so that more may wait in the queue."""
        return self._leased >= self.capacity

    def resize(self, capacity: int) -> None:
        """Let so many deliveries be leased from now on; what is leased stays."""
        self.capacity = capacity
        self._room.set()

    def drain(self) -> None:
        """Receive no more.

        A poll under way is left to its end: SQS would hide what a cancelled poll was about to
        bring until the lease lapses.
        """
        self._draining = True

    async def _receive(self) -> Sequence[Delivery]:
        """Wait for room, and receive as much as there is; hand it back if a drain began."""
        while self.is_full:
            # Nothing awaits between the comparison and this, so no end of a delivery is missed.
            self._room.clear()
            await self._room.wait()
        if self._draining:
            return ()
        try:
            deliveries = await self.queue.receive(min(_BATCH, self.capacity - self._leased))
            self._failed_polls = 0
            if not self._draining:
                return deliveries
            await asyncio.gather(*(self.queue.extend(delivery, 0) for delivery in deliveries))
        except Unavailable as exc:
            self._failed_polls += 1
            self._complain(exc)
        return ()

    async def _handle_safely(self, delivery: Delivery) -> None:
        try:
            await self.handle(delivery)
            self._failures = 0
        except Unavailable as exc:
            self._failures += 1
            self._complain(exc)
        except AtelierError as exc:
            log.warning("handed_back", extra={"message_id": delivery.id, "why": str(exc)})
        except Exception:  # whatever one message does to us, the next is received
            log.exception("delivery_broke", extra={"message_id": delivery.id})
        finally:
            self._leased -= 1
            self._room.set()

    @property
    def _pause(self) -> float:
        return _BACKOFF.pause(max(self._failures, self._failed_polls))

    def _complain(self, exc: Unavailable) -> None:
        self.outages += 1
        log.warning("platform_unavailable", extra={"why": str(exc), "pause": self._pause})
