"""Telling of a task's end: its subscribers, its callback, the ledger and the queue, in this order.

Whether a task has ended is left to the worker.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from ingest.lease import Lease
from ingest.notify import Notifier
from ingest.to_the_end import to_the_end
from models.errors import HeldElsewhere, PublicationRefused, Unavailable
from models.ledger import Ledger
from models.patience import Patience
from models.ports import Delivery, Queue
from models.report import Report
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")

_LAST_SECONDS = 5.0
"""Seconds that a drain which is at its end leaves for telling of a task that has ended."""
_CALLS_SECONDS = 10.0
"""Seconds for which a delivery keeps its place while the callbacks' queue is away."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Tells of tasks' ends, and acknowledges their deliveries."""

    queue: Queue
    ledger: Ledger
    notifier: Notifier
    patience: Patience

    async def __call__(self, task: Task, report: Report, delivery: Delivery, held: Lease) -> None:
        """Tell of a task's end unless another has, or does; acknowledge its delivery.

        Raises:
            HeldElsewhere: another tells of it just now.
            Unavailable: a part of the platform is away for long; what is not told yet its next
                delivery tells.
        """
        if not report.notified:
            report = await self._taken(task, report, held)
        if report.notified and not report.uncalled:
            await self.patience(lambda: self.queue.ack(delivery))
            return
        # Where it is cancelled between the notification and the mark, another would tell it again.
        await to_the_end(self._tell(task, report, delivery, held), _LAST_SECONDS)

    async def _taken(self, task: Task, report: Report, held: Lease) -> Report:
        """Take it on to tell of an end; return the report, notified if another has told it.

        Raises:
            HeldElsewhere: another tells of it just now.
        """
        if report.is_of(held.fence):
            return report
        told = completed(await self.patience(lambda: self.ledger.tell(report, held.fence)), task)
        if not (told.notified or told.is_of(held.fence)):
            raise HeldElsewhere
        return told

    async def _tell(self, task: Task, report: Report, delivery: Delivery, held: Lease) -> None:
        # In this order: a crash in between notifies twice, the other way round never.
        if not report.notified:
            refusal = await self._notify_subscribers(task, report, held)
            _log_end(report)
            if refusal is not None:
                await self._put_aside(task, report, delivery, refusal)
                return
        report = await self._ask_for_call(task, report)
        # Either may fail alone: acknowledged, nothing comes back; marked, it is not told again.
        await asyncio.gather(
            self.patience(lambda: self.ledger.mark_notified(report)),
            self.patience(lambda: self.queue.ack(delivery)),
        )

    async def _put_aside(
        self, task: Task, report: Report, delivery: Delivery, refusal: PublicationRefused
    ) -> None:
        """Put a task that cannot be told of among the dead letters; redriven, it is told."""
        log.warning("notification_refused", extra={**report.log_context(), "why": str(refusal)})
        with suppress(Unavailable):  # it is asked for once more when the letter is redriven
            await self.notifier.notify_callback(report, task.context)
        reason = f"{report.status.value}, but its notification was refused: {refusal}"
        await self.patience(lambda: self.queue.reject(delivery, reason))

    async def _notify_subscribers(
        self, task: Task, report: Report, held: Lease
    ) -> PublicationRefused | None:
        """Publish the end of a task; before each further try make sure that no other tells it.

        Return the error if the topic refuses it for good.

        Raises:
            HeldElsewhere: another does, for the results topic was away for longer than a lease.
        """
        is_tried = False

        async def publish() -> None:
            nonlocal is_tried
            if is_tried and not (await self.ledger.tell(report, held.fence)).is_of(held.fence):
                raise HeldElsewhere
            is_tried = True
            await self.notifier.notify_subscribers(report, task.context)

        try:
            await self.patience(publish)
        except PublicationRefused as exc:
            return exc
        return None

    async def _ask_for_call(self, task: Task, report: Report) -> Report:
        """Put the call of the callback into its queue; return the report, as it is noted by then.

        Raises:
            Unavailable: that is away; the delivery gives its place up, and its next one asks for
                the call alone.
        """

        async def ask() -> None:
            await self.notifier.notify_callback(report, task.context)

        try:
            await ask()
        except Unavailable as exc:
            if report.uncalled:
                raise
            self.patience.failed(exc)
        else:
            return report
        # At once: a drain that ends meanwhile would have subscribers told again.
        await self.patience(lambda: self.ledger.mark_notified(report, called=False))
        await self.patience(ask, _CALLS_SECONDS)
        return replace(report, uncalled=True)


def completed(standing: Report, task: Task) -> Report:
    """Add what the ledger lacks of a task that was cancelled before it came: all but its name."""
    return replace(standing, runtime=task.runtime, kind=task.kind, callback=task.callback)


def _log_end(report: Report) -> None:
    why = {"why": report.failure.message} if report.failure else {}
    log.info("task_ended", extra={**report.log_context(), "seconds": dict(report.seconds), **why})
