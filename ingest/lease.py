"""Lease: keeps a delivery hidden from other receivers while it is worked on."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from models.backoff import Backoff
from models.errors import HeldElsewhere, PlaceGone, RuntimeUnavailable
from models.fence import Fence
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

_AT_ONCE = 3
"""Deliveries of a message that are handed back at once, whoever may take the next one."""
_PAUSES = Backoff(first=1, longest=30)
"""Pauses of a message that was handed back so often, in seconds, by its further deliveries."""
_FENCED = 0.9
"""Part of a lease for which others keep off: who receives the message next finds no fence."""


class Lease:
    """Lease of one delivery, renewed each third of its seconds.

    ``clock``: wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        queue: Queue,
        delivery: Delivery,
        seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._delivery = delivery
        self._seconds = seconds
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._renewed = clock()

    @property
    def fence(self) -> Fence:
        """Fence of the newest run, which ends shortly before the lease of a dead worker lapses."""
        return Fence(token=self._token, until=self._renewed + _FENCED * self._seconds)

    def begin_run(self) -> None:
        """Take another token: what lands late of an earlier run is not of the one that begins."""
        self._token = secrets.token_hex(8)

    async def renew(self) -> None:
        """Renew it again and again, until this is cancelled."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            # The fence goes on while the queue is away: whoever receives the message next is told
            # that it is in hand.
            self._renewed = self._clock()
            try:
                await self._queue.extend(self._delivery, self._seconds)
            except Exception as exc:  # noqa: BLE001 - two more renewals fit in before it lapses
                fields = {"message_id": self._delivery.id, "why": str(exc)}
                log.warning("lease_not_renewed", extra=fields)

    async def hand_back(self, seconds: int) -> None:
        """Show the message again after so many seconds; leave it to lapse where that fails."""
        try:
            await self._queue.extend(self._delivery, seconds)
        except Exception as exc:  # noqa: BLE001 - it comes back in any case
            fields = {"message_id": self._delivery.id, "why": str(exc)}
            log.warning("not_handed_back", extra=fields)


@asynccontextmanager
async def lease(
    queue: Queue, delivery: Delivery, seconds: int, clock: Callable[[], float] = time.time
) -> AsyncIterator[Lease]:
    """Renew a delivery's lease while the block runs, each third of so many seconds.

    Where the block ends with `RuntimeUnavailable` or is cancelled, the delivery is handed back at
    once. After its third delivery it is so with a pause, unless its place went away: a task that no
    replica begins has no attempts that would end this. One whose task another has comes back with a
    pause, too. After any other error the lease lapses: a delivery that breaks its worker comes back
    slowly.
    """
    held = Lease(queue, delivery, seconds, clock)
    try:
        async with _renewed(held):
            yield held
    except (RuntimeUnavailable, HeldElsewhere, asyncio.CancelledError) as exc:
        # After the last renewal, which would undo it.
        await held.hand_back(_pause(exc, delivery.attempt))
        raise


def _pause(exc: BaseException, attempt: int) -> int:
    if isinstance(exc, PlaceGone | asyncio.CancelledError):
        return 0
    return int(_PAUSES.pause(attempt if isinstance(exc, HeldElsewhere) else attempt - _AT_ONCE))


@asynccontextmanager
async def _renewed(held: Lease) -> AsyncIterator[None]:
    renewal = asyncio.create_task(held.renew())
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            # One under way could else arrive after the hand-back, and hide the message again.
            await renewal
