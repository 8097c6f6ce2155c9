"""Lease: keeps a delivery hidden from other receivers while it is worked on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from models.errors import RuntimeUnavailable, Unavailable
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")


@asynccontextmanager
async def lease(queue: Queue, delivery: Delivery, seconds: int) -> AsyncIterator[None]:
    """Renew a delivery's lease while the block runs, each third of so many seconds.

    Where the block ends with `RuntimeUnavailable` or is cancelled, the delivery is handed back at
    once. After any other error the lease lapses: a delivery that breaks its worker comes back
    slowly.
    """
    try:
        async with _renewed(queue, delivery, seconds):
            yield
    except (RuntimeUnavailable, asyncio.CancelledError):
        await _hand_back(queue, delivery)  # after the last renewal, which would undo it
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


async def _hand_back(queue: Queue, delivery: Delivery) -> None:
    try:
        await queue.extend(delivery, 0)
    except Unavailable as exc:
        log.warning("not_handed_back", extra={"message_id": delivery.id, "why": str(exc)})
