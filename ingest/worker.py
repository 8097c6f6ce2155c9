"""The worker: brings a task from its delivery to its notification."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.board import Board
from ingest.envelope import Envelope
from ingest.head_start import is_likely_first, with_head_start
from ingest.lease import lease
from ingest.notify import Notifier
from ingest.receiver import Receiver
from models import strict_json
from models.errors import InvalidTask, RuntimeUnavailable, TaskFailed, Unavailable
from models.notification import failure_output
from models.ports import Delivery, Ledger, Objects, Runner
from models.report import Report, Status
from models.runtimes.content import Fault, refuse
from models.settings.groups import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")


Judge = Callable[[str, Any], Sequence[Fault]]
"""Find what is wrong in the content of a task of some kind, in microseconds."""


def _unjudged(kind: str, content: Any) -> Sequence[Fault]:
    del kind, content
    return ()


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
    output: str
    """``s3://`` URI of the bucket of artifacts."""
    rules: Tasks
    _running: int = field(default=0, init=False)

    async def handle(self, delivery: Delivery) -> None:
        """Take a delivery to its end: reported and acknowledged, or rejected.

        The lease is renewed meanwhile, so it may take as long as the task does.

        Raises:
            RuntimeUnavailable: no replica brought it to an end; it was handed back at once.
            Unavailable: a part of the platform is away; it comes back when its lease lapses.
        """
        async with lease(self.queue, delivery, self.rules.lease_seconds):
            try:
                task = await self.envelope.open(delivery)
            except InvalidTask as exc:
                log.warning("message_rejected", extra={"message_id": delivery.id, "why": str(exc)})
                await self.queue.reject(delivery, reason=str(exc))
                return
            with self.board.holding(task.runtime, task.submission):
                await self._end(task, delivery)

    async def _end(self, task: Task, delivery: Delivery) -> None:
        """Run the task unless it has ended; notify unless another does; acknowledge."""
        report = await self._ended(task, delivery)
        if report is None or self.board.stops.is_notified_by_stopper(task.submission):
            return  # the lease lapses: if the other one dies, the next delivery notifies
        # In this order: a crash in between notifies twice, the other way round never.
        if not report.notified:
            await self.notifier.notify(report, task.context)
            _log_end(report)
        # Either may fail alone: acknowledged, nothing comes back; marked, it is not told again.
        await asyncio.gather(self.ledger.mark_notified(report), self.queue.ack(delivery))

    async def _ended(self, task: Task, delivery: Delivery) -> Report | None:
        """Run the task to its end; return the accepted report, None if another attempt's was."""
        ended = await self._run_or_ended(task, delivery)
        standing = await self.ledger.finish(ended)
        # A task that was cancelled before it came is known by its name alone.
        report = replace(standing, runtime=task.runtime, kind=task.kind, callback=task.callback)
        self.board.publish(task.submission, report)
        # The ledger counts attempts, so that the number says whose report stands.
        return report if report.attempt == ended.attempt else None

    async def _run_or_ended(self, task: Task, delivery: Delivery) -> Report:
        """Run the task and report on that; or, if it has ended already, return how."""
        if not self._running and is_likely_first(delivery, task, self.board):
            return await with_head_start(
                task, self.ledger.start(task), lambda report: self._run(task, report)
            )
        report = await self.ledger.start(task)
        return report if report.ended else await self._run(task, report)

    async def _run(self, task: Task, report: Report) -> Report:
        """Run the task; return a report that ends it.

        Raises:
            RuntimeUnavailable: there is an attempt left.
        """
        self.board.publish(task.submission, report)
        try:
            self._check(task, report)
            await self._notify_running(task, report)
            ended = await self._watch(task, report)
        except RuntimeUnavailable as exc:
            log.warning("runtime_unavailable", extra={**report.log_context(), "why": str(exc)})
            if report.attempt < self.rules.max_attempts:
                await self._requeue(task, report)
                raise
            ended = report.failed(exc)
        except TaskFailed as exc:
            ended = report.failed(exc)
        # Before the ledger knows of the end: who is told of it finds the file.
        return await self._with_output(task, ended)

    async def _requeue(self, task: Task, report: Report) -> None:
        self.board.publish(task.submission, replace(report, status=Status.QUEUED))
        try:
            await self.ledger.requeue(report)
        except Unavailable as exc:  # it waits in the queue all the same
            log.warning("not_requeued", extra={**report.log_context(), "why": str(exc)})

    def _check(self, task: Task, report: Report) -> None:
        if task.kind not in self.kinds:
            can = ", ".join(sorted(self.kinds))
            raise TaskFailed(f"tasktype {task.kind!r} is not supported by {task.runtime}: {can}")
        if report.attempt > self.rules.max_attempts:
            # The last one ended without a report: its worker died, or a part of AWS was away.
            raise RuntimeUnavailable(f"lost its runtime in each of {report.attempt - 1} attempts")
        refuse(self.judge(task.kind, task.content))

    async def _watch(self, task: Task, report: Report) -> Report:
        """Run the task until it ends, the board stops it, or the ledger says that it has ended.

        The ledger is asked at each third of a lease: it alone knows of a cancel where the board
        could not be asked, and of a run elsewhere.
        """
        run = asyncio.create_task(self._stream(task, report))
        self._running += 1
        try:
            with self.board.running(task.runtime, task.submission, run.cancel):
                while not run.done():
                    # Not `wait_for`, which would cancel the run at its timeout.
                    await asyncio.wait([run], timeout=self.rules.lease_seconds / 3)
                    if not run.done() and await self._has_ended(task):
                        run.cancel()
        finally:
            self._running -= 1
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        return report.cancelled() if run.cancelled() else run.result()

    async def _stream(self, task: Task, report: Report) -> Report:
        async with aclosing(self.runner.run(task, report.attempt)) as updates:
            async for update in updates:
                if isinstance(update, Report):
                    self.board.add_run(update)
                    return update
                self.board.publish(task.submission, update)
        raise RuntimeUnavailable("the replica ended without a report")

    async def _has_ended(self, task: Task) -> bool:
        """Ask the ledger whether the task has ended; if it does not answer, take it that not."""
        try:
            found = await self.ledger.find(task.id, task.submission)
        except Unavailable:
            return False
        return found is not None and found.ended

    async def _with_output(self, task: Task, report: Report) -> Report:
        """Store the ``.out`` of a failed task; a completed one's was stored by its replica."""
        if report.status is not Status.FAILED:
            return report
        uri = f"{self.output}/{task.output_key}"
        body = strict_json.written(failure_output(task, report)).encode()
        await self.objects.put(uri, body, "application/json")
        return replace(report, output=uri)

    async def _notify_running(self, task: Task, report: Report) -> None:
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
