"""Submissions that were noted and never published: their sender died, or its topic was away."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.errors import Unavailable
from models.ports import Ledger, Queue, Search
from models.report import Status

log = logging.getLogger("ray.serve.atelier.ingest")

_LOOK_SECONDS = 60.0
_EMPTY_SECONDS = 150.0
"""Seconds for which a queue has to be empty: what SQS tells of it may be a minute old."""
_NEW_SECONDS = 60.0
"""Seconds that a submission may take from its row to its message."""
_PAGE = 100


@dataclass(kw_only=True, eq=False)
class Unpublished:
    """Withdraws what is queued in the ledger and in no queue.

    It would count in everybody's position, for weeks. Nothing is withdrawn while its runtime's
    queue has messages, since any of them may be its own; one that comes later is noted again.
    """

    queues: Mapping[str, Queue]
    """Queues of the runtimes, by name."""
    ledger: Ledger
    clock: Callable[[], float] = time.time
    """Wall clock, in seconds since 1970."""
    _empty_since: dict[str, float] = field(default_factory=dict, init=False)
    _draining: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def work(self) -> None:
        """Look each minute, until `drain`."""
        while not self._draining.is_set():
            for runtime in self.queues:
                try:
                    await self.look(runtime)
                except Unavailable as exc:
                    self._empty_since.pop(runtime, None)
                    log.warning("not_looked", extra={"runtime": runtime, "why": str(exc)})
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._draining.wait()
            except TimeoutError:
                continue

    def drain(self) -> None:
        """Look no more."""
        self._draining.set()

    async def look(self, runtime: str) -> None:
        """Withdraw what was never published, if the runtime's queue has been empty for long.

        Raises:
            Unavailable: the queue or the ledger did not answer.
        """
        if not await self.queues[runtime].is_empty():
            self._empty_since.pop(runtime, None)
            return
        since = self._empty_since.setdefault(runtime, self.clock())
        if self.clock() - since < _EMPTY_SECONDS:
            return
        old = Search(runtimes=(runtime,), statuses=(Status.QUEUED,), until=since - _NEW_SECONDS)
        after: str | None = None
        while True:
            page = await self.ledger.search(old, _PAGE, after)
            for report in page.reports:
                if not report.attempt:  # else its message came, and is among the dead letters
                    await self.ledger.withdraw(report.id, report.submission)
                    log.warning("submission_withdrawn", extra=report.log_context())
            if (after := page.next) is None:
                return
