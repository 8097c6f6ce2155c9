"""The worker: brings a task from its delivery to its notification."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from ingest.board import Board
from ingest.envelope import Envelope
from ingest.lease import lease
from ingest.notify import Notifier
from ingest.paces import Hold
from ingest.receiver import Receiver
from ingest.run import Run
from models import strict_json
from models.errors import (
    InvalidTask,
    PlaceGone,
    RuntimeUnavailable,
    TaskError,
    TaskFailed,
    Unavailable,
)
from models.notification import failure_output
from models.ports import Delivery, Ledger, Objects, Runner
from models.report import Report, Status
from models.runtimes.content import Fault, refuse
from models.settings.groups import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")


_NOTED_SECONDS = 1.0
"""Seconds after which a task that has not begun is noted as queued: most have begun by then."""
_CANCELLER_SECONDS = 2.0
"""Seconds after a cancel in which whoever asked for it may be about to notify."""
_CANCELLER_LOOKS = 8

Judge = Callable[[str, Any], Sequence[Fault]]
"""Find what is wrong in the content of a task of some kind, in microseconds."""
CheckpointOf = Callable[[Task], str | None]
"""Find the checkpoint that a task asks for, in microseconds; None if that is not known."""


def _unjudged(kind: str, content: Any) -> Sequence[Fault]:
    del kind, content
    return ()


def _unknown(task: Task) -> None:
    del task


@dataclass(kw_only=True, eq=False)
class Worker(Receiver):
    """Takes the deliveries of one runtime's queue to their end."""

    envelope: Envelope
    ledger: Ledger
    objects: Objects
    notifier: Notifier
    board: Board
    runner: Runner
    kinds: frozenset[str]
    """Kinds of task that the runtime can do."""
    judge: Judge = _unjudged
    checkpoint_of: CheckpointOf = _unknown
    output: str
    """``s3://`` URI of the bucket of artifacts."""
    rules: Tasks
    asleep: bool = False
    """Flag: no replica runs, so that a task would start one."""
    _runs: set[Run] = field(default_factory=set, init=False)
    """Runs under way, begun or not."""
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(
        default_factory=WeakValueDictionary, init=False
    )
    """Locks of the submissions in hand, by which copies of a message wait for one another."""

    def drain(self) -> None:
        """Receive no more, and hand back what waits for a replica: only what has begun ends here.

        The ingest that follows can then lease and measure it at once: this one measures no more.
        """
        super().drain()
        for run in self._runs:
            run.give_up_waiting()

    async def handle(self, delivery: Delivery) -> None:
        """Take a delivery to its end: reported and acknowledged, or rejected.

        The lease is renewed meanwhile, so it may take as long as the task does. A copy of what is
        in hand waits for the end of that: two runs of one submission store under the same keys.

        Raises:
            RuntimeUnavailable: no replica brought it to an end; it was handed back.
            Unavailable: a part of the platform is away; it comes back when its lease lapses.
        """
        async with lease(self.queue, delivery, self.rules.lease_seconds):
            try:
                task = await self.envelope.open(delivery)
            except InvalidTask as exc:
                log.warning("message_rejected", extra={"message_id": delivery.id, "why": str(exc)})
                await self.queue.reject(delivery, reason=str(exc))
                return
            with self.board.holding(task.runtime, task.submission, delivery.sent) as hold:
                async with self._locks.setdefault(task.submission, asyncio.Lock()):
                    await self._end(task, delivery, hold)

    async def _end(self, task: Task, delivery: Delivery, hold: Hold) -> None:
        """Run the task unless it has ended; notify unless another does; acknowledge."""
        report = await self._ended(task, delivery, hold)
        if report is None:
            return  # the lease lapses: if the other one dies, the next delivery notifies
        if self.board.stops.is_notified_by_stopper(task.submission) and not report.notified:
            return  # as above
        report = await self._after_canceller(report)
        # In this order: a crash in between notifies twice, the other way round never.
        if not report.notified:
            await self.notifier.notify(report, task.context)
            _log_end(report)
        # Either may fail alone: acknowledged, nothing comes back; marked, it is not told again.
        await asyncio.gather(self.ledger.mark_notified(report), self.queue.ack(delivery))

    async def _after_canceller(self, report: Report) -> Report:
        """Give who cancelled a task a moment to notify, if that one did not find this ingest.

        An ingest that begins or drains in that moment is not asked, so nobody seems to hold what
        it has. Who notifies needs some hundredths of a second; whoever died does not need more.
        """
        is_found = self.board.stops.is_stopped(report.submission)
        if report.status is not Status.CANCELLED or report.context is None or is_found:
            return report
        for _ in range(_CANCELLER_LOOKS):
            if report.notified or time.time() - report.updated >= _CANCELLER_SECONDS:
                break
            await asyncio.sleep(_CANCELLER_SECONDS / _CANCELLER_LOOKS)
            found = await self.ledger.find(report.id, report.submission)
            report = replace(report, notified=found is not None and found.notified)
        return report

    async def _ended(self, task: Task, delivery: Delivery, hold: Hold) -> Report | None:
        """Run the task to its end; return the accepted report, None if another attempt's was."""
        ahead = self._may_run_ahead(task, delivery)
        known = Report.of(task, Status.QUEUED)
        if not ahead:  # a task that nobody queued is noted as queued
            known = await self.ledger.queue(task, task.owner)
        ended = known if known.ended else await self._run(task, known, hold, ahead=ahead)
        standing = known if known.ended else await self.ledger.finish(ended)
        # A task that was cancelled before it came is known by its name alone.
        report = replace(standing, runtime=task.runtime, kind=task.kind, callback=task.callback)
        self.board.publish(task.submission, report)
        # The ledger counts attempts, so that the number says whose report stands.
        return report if report.attempt == ended.attempt else None

    def _may_run_ahead(self, task: Task, delivery: Delivery) -> bool:
        """Tell whether the task may go to a replica before the ledger is asked.

        One may that comes for the first time, while replicas run. Its start tells whether that was
        right: if it has ended (it was published twice), its run is stopped.
        """
        is_well = not (self.asleep or self.is_slowed_down)
        is_first = delivery.attempt == 1
        return is_well and is_first and self.board.is_likely_new(task.submission, delivery.sent)

    async def _run(self, task: Task, known: Report, hold: Hold, *, ahead: bool) -> Report:
        """Run the task; return a report that ends it.

        Raises:
            RuntimeUnavailable: no replica brought it to an end, and another try is left.
        """
        try:
            self._check(task, known)
        except TaskError as exc:
            ended = known.failed(exc)
        else:
            ended = await self._run_checked(task, known, hold, ahead=ahead)
        # Before the ledger knows of the end: who is told of it finds the file.
        return await self._with_output(task, ended)

    async def _run_checked(self, task: Task, known: Report, hold: Hold, *, ahead: bool) -> Report:
        run = Run(
            task=task,
            known=known,
            hold=hold,
            runner=self.runner,
            ledger=self.ledger,
            board=self.board,
            rules=self.rules,
            tell_start=partial(self._tell_start, task),
            first_look=_NOTED_SECONDS if ahead else None,
        )
        if self._draining:  # it was leased, but not handed to a replica yet
            raise PlaceGone("ingest ended before the task was handed to a replica")
        self._runs.add(run)
        try:
            with hold.waiting(self.checkpoint_of(task)):
                return await run.end()
        finally:
            self._runs.remove(run)

    def _check(self, task: Task, known: Report) -> None:
        if task.kind not in self.kinds:
            can = ", ".join(sorted(self.kinds))
            raise TaskFailed(f"tasktype {task.kind!r} is not supported by {task.runtime}: {can}")
        if known.attempt >= self.rules.max_attempts:
            # The last one ended without a report: its worker died.
            raise RuntimeUnavailable(f"lost its runtime in each of {known.attempt} attempts")
        refuse(self.judge(task.kind, task.content))

    async def _with_output(self, task: Task, report: Report) -> Report:
        """Store the ``.out`` of a failed task; a completed one's was stored by its replica."""
        if report.status is not Status.FAILED:
            return report
        uri = f"{self.output}/{task.output_key}"
        body = strict_json.written(failure_output(task, report)).encode()
        await self.objects.put(uri, body, "application/json")
        return replace(report, output=uri)

    async def _tell_start(self, task: Task, report: Report) -> None:
        """Notify of the start, if that is set or the callback wants it; go on if it fails."""
        try:
            if self.rules.notify_running:
                await self.notifier.notify(report, task.context)
            else:
                await self.notifier.notify_callback(report, task.context)
        except Unavailable as exc:
            log.warning("start_not_told", extra={**report.log_context(), "why": str(exc)})


def _log_end(report: Report) -> None:
    why = {"why": report.failure.message} if report.failure else {}
    log.info("task_ended", extra={**report.log_context(), "seconds": dict(report.seconds), **why})
