"""A receiver: the long poll of a queue, and a task for each delivery that it brings."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.backoff import Backoff
from models.errors import AtelierError, Unavailable
from models.patience import LONGEST_PAUSE, Patience
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

_BATCH = 10
"""Most messages that one call of SQS's ReceiveMessage gives."""
_PAUSES = Backoff(first=0.1, longest=LONGEST_PAUSE)


@dataclass(kw_only=True, eq=False)
class Receiver(ABC):
    """Receives deliveries while there is room, and outlives whatever handling one of them does.

    What a delivery means is left to subclasses. While polls fail, in whatever way, it pauses before
    each, for a second at most; what was received waits in its place.
    """

    queue: Queue
    capacity: int
    """Most deliveries that are leased at once; the rest stays visible in the queue."""
    _leased: int = field(default=0, init=False)
    _room: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    patience: Patience = field(default_factory=Patience, init=False)
    """Patience of the calls that bring a delivery to its end."""
    _failed_polls: int = field(default=0, init=False)
    """Polls in a row that found the platform unavailable."""
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
                await asyncio.sleep(_PAUSES.pause(self._failed_polls))
                for delivery in await self._receive():
                    self._leased += 1
                    group.create_task(self._handle_safely(delivery))

    @property
    def outages(self) -> int:
        """Count of the calls so far that found the platform unavailable."""
        return self.patience.outages

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
        except Exception as exc:  # whatever one poll meets, the next is made
            self._failed_polls += 1
            if not isinstance(exc, Unavailable):
                log.exception("poll_broke")
                exc = Unavailable(type(exc).__name__)
            self.patience.failed(exc)
        return ()

    async def _handle_safely(self, delivery: Delivery) -> None:
        try:
            await self.handle(delivery)
        except AtelierError as exc:
            log.warning("handed_back", extra={"message_id": delivery.id, "why": str(exc)})
        except Exception:  # whatever one message does to us, the next is received
            log.exception("delivery_broke", extra={"message_id": delivery.id})
        finally:
            self._leased -= 1
            self._room.set()
