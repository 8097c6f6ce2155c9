"""Lease: keeps a delivery hidden from other receivers while it is worked on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from models.backoff import Backoff
from models.errors import PlaceGone, RuntimeUnavailable, Unavailable
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

_AT_ONCE = 3
"""Deliveries of a message that are handed back at once, whoever may take the next one."""
_PAUSES = Backoff(first=1, longest=30)
"""Pauses of a message that was handed back so often, in seconds, by its further deliveries."""


@asynccontextmanager
async def lease(queue: Queue, delivery: Delivery, seconds: int) -> AsyncIterator[None]:
    """Renew a delivery's lease while the block runs, each third of so many seconds.

    Where the block ends with `RuntimeUnavailable` or is cancelled, the delivery is handed back at
    once. After its third delivery it is so with a pause, unless its place went away: a task that no
    replica begins has no attempts that would end this. After any other error the lease lapses: a
    delivery that breaks its worker comes back slowly.
    """
    try:
        async with _renewed(queue, delivery, seconds):
            yield
    except (RuntimeUnavailable, asyncio.CancelledError) as exc:
        at_once = isinstance(exc, PlaceGone | asyncio.CancelledError)
        pause = 0 if at_once else int(_PAUSES.pause(delivery.attempt - _AT_ONCE))
        # After the last renewal, which would undo it.
        await _hand_back(queue, delivery, pause)
        raise


@asynccontextmanager
async def _renewed(queue: Queue, delivery: Delivery, seconds: int) -> AsyncIterator[None]:
    renewal = asyncio.create_task(_renew(queue, delivery, seconds))
    try:
        yield
    finally:
        renewal.cancel()
        with suppress(asyncio.CancelledError):
            # One under way could else arrive after the hand-back, and hide the message again.
            await renewal


async def _renew(queue: Queue, delivery: Delivery, seconds: int) -> None:
    while True:
        await asyncio.sleep(seconds / 3)
        try:
            await queue.extend(delivery, seconds)
        except Unavailable as exc:  # two more renewals fit in before it lapses
            log.warning("lease_not_renewed", extra={"message_id": delivery.id, "why": str(exc)})


async def _hand_back(queue: Queue, delivery: Delivery, seconds: int) -> None:
    try:
        await queue.extend(delivery, seconds)
    except Unavailable as exc:
        log.warning("not_handed_back", extra={"message_id": delivery.id, "why": str(exc)})
