"""Visit to a queue of dead letters: each is held while it is looked at, and then given back."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from models.errors import Unavailable
from models.ports import Delivery, Queue

log = logging.getLogger("ray.serve.atelier.ingest")

MOST = 1_000
"""Most letters that one visit looks at."""
_BATCH = 10  # SQS gives no more at once


class LetterVisit:
    """Visit that receives up to `MOST` letters, and begins no call after ``seconds``.

    SQS can show no letter without hiding it from all others. Those that were not deleted are made
    visible again at the end; where that fails, or the process dies, their lease lapses.
    """

    def __init__(
        self, letters: Queue, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.letters = letters
        self.clock = clock
        self.until = clock() + seconds
        self.complete = False
        """Flag: the queue had no letter left to be received."""
        self._seen: set[str] = set()
        self._held: dict[str, Delivery] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await asyncio.gather(*(self.letters.extend(each, 0) for each in self._held.values()))
        except Unavailable as exc:
            log.warning("letters_not_given_back", extra={"why": str(exc)})

    async def batches(self) -> AsyncIterator[Sequence[Delivery]]:
        """Receive letters, each once, up to ten at a time."""
        while len(self._seen) < MOST and self.clock() < self.until:
            batch = await self.letters.receive(_BATCH)
            if not batch:
                self.complete = True
                return
            # Without their bodies: a thousand letters may have a quarter of a gigabyte.
            self._held |= {each.id: replace(each, body="", attributes={}) for each in batch}
            new = [each for each in batch if each.id not in self._seen]
            self._seen |= {each.id for each in new}
            yield new

    async def delete(self, letter: Delivery) -> None:
        """Delete a letter for good."""
        await self.letters.ack(letter)
        self._held.pop(letter.id, None)
