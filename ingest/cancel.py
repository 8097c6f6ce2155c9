"""Cancelling: ends a task that nobody wants any more, whether it waits, runs or is unknown."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from ingest.boards import Boards
from ingest.notify import Notifier
from ingest.to_the_end import to_the_end
from models.errors import Unavailable
from models.fence import Fence
from models.ledger import Ledger
from models.report import Report

_TELLING_SECONDS = 10.0
"""Seconds for which others wait for the one who cancels to tell of it."""

log = logging.getLogger("ray.serve.atelier.ingest")


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Cancels tasks: the ledger decides, and says who notifies; then runs are stopped.

    ``clock``: wall clock, in seconds since 1970.
    """

    ledger: Ledger
    notifier: Notifier
    boards: Boards
    clock: Callable[[], float] = time.time

    async def __call__(
        self,
        id: str,  # noqa: A002
        submission: str,
        key: str | None = None,
    ) -> Report | None:
        """Cancel a submission; return the report that stands: cancelled, or how it had ended.

        With the name of an API key, return None if the task is not known to belong to it.

        Raises:
            Unavailable: the ledger did not answer; the task is not known to be cancelled.
        """
        fence = Fence(token=secrets.token_hex(8), until=self.clock() + _TELLING_SECONDS)
        report = await self.ledger.cancel(id, submission, fence, key)
        if report is None:
            return None
        # A client that leaves meanwhile ends this: what it has told by then is marked all the same.
        telling = to_the_end(self._notify(report, fence), _TELLING_SECONDS / 2)
        await asyncio.gather(self._stop(report), telling)
        return report

    async def _stop(self, report: Report) -> None:
        try:
            await self.boards.stop(report)
        except Unavailable as exc:  # a worker that has it asks the ledger at each third of a lease
            log.warning("not_stopped", extra={**report.log_context(), "why": str(exc)})

    async def _notify(self, report: Report, fence: Fence) -> None:
        """Notify if that is this one's, and others wait for long enough; else the delivery does."""
        if not report.is_of(fence) or self.clock() > fence.until - _TELLING_SECONDS / 2:
            return
        context = json.loads(report.context or "null")
        try:
            # The callback first, whose receiver knows a repetition by its id. A crash before the
            # mark notifies twice, the other way round never.
            await self.notifier.notify_callback(report, context)
            await self.notifier.notify_subscribers(report, context)
            await self.ledger.mark_notified(report)
        except Unavailable as exc:  # the delivery does, once the fence has lapsed
            log.warning("cancel_not_told", extra={**report.log_context(), "why": str(exc)})
