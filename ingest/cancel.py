"""Cancelling: ends a task that nobody wants any more, whether it waits, runs or is unknown."""

import json
import logging
from dataclasses import dataclass

from ingest.boards import Boards
from ingest.notify import Notifier
from models.errors import Unavailable
from models.ports import Ledger
from models.report import Report, Status

log = logging.getLogger("ray.serve.atelier.ingest")


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """Cancels tasks: the ledger decides, then runs are stopped, and whoever can first notifies."""

    ledger: Ledger
    notifier: Notifier
    boards: Boards

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
        report = await self.ledger.cancel(id, submission, key)
        if report is None:
            return None
        held = await self._stop(report)
        if report.status is Status.CANCELLED and not (report.notified or held):
            await self._notify(report)
        return report

    async def _stop(self, report: Report) -> bool:
        try:
            return await self.boards.stop(report)
        except Unavailable as exc:  # a worker that has it asks the ledger at each third of a lease
            log.warning("not_stopped", extra={**report.log_context(), "why": str(exc)})
            # What was started is held, or will be delivered again: who has it then notifies.
            return report.attempt > 0

    async def _notify(self, report: Report) -> None:
        if report.context is None:
            return  # too long for the ledger; who receives the delivery has it, and notifies
        try:
            # In this order: a crash in between notifies twice, the other way round never.
            await self.notifier.notify(report, json.loads(report.context))
            await self.ledger.mark_notified(report)
        except Unavailable as exc:
            log.warning("cancel_not_told", extra={**report.log_context(), "why": str(exc)})
