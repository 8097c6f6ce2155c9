"""The line of a task, from its delivery to its notification."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from ingest.board import Board
from ingest.envelope import Envelope
from ingest.lease import lease
from ingest.notify import Notifier
from ingest.receiver import Receiver
from models import strict_json
from models.errors import InvalidTask, RuntimeUnavailable, TaskFailed, Unavailable
from models.notification import failure_output
from models.ports import Delivery, Ledger, Objects, Queue, Runner
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


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a worker works with, for one runtime."""

    envelope: Envelope
    ledger: Ledger
    objects: Objects
    notifier: Notifier
    board: Board
    runner: Runner
    kinds: frozenset[str]
    """The kinds of task that the runtime can do."""
    judge: Judge = _unjudged
    output: str
    """``s3://`` URI of the bucket of artifacts."""
    rules: Tasks


class Worker(Receiver):
    """Brings the tasks of one runtime's queue to their end."""

    def __init__(self, queue: Queue, line: Line, capacity: int) -> None:
        super().__init__(queue, capacity)
        self.line = line
        self._running = 0

    async def handle(self, delivery: Delivery) -> None:
        """Bring one delivery to an end: reported and acknowledged, or rejected.

        Raises:
            RuntimeUnavailable: it was handed back for another try.
            Unavailable: a part of the platform is away; it comes back when its lease ends.
        """
        line = self.line
        async with lease(self.queue, delivery, line.rules.lease_seconds):
            try:
                task = await line.envelope.open(delivery)
            except InvalidTask as exc:
                log.warning("message_rejected", extra={"message_id": delivery.id, "why": str(exc)})
                await self.queue.reject(delivery, reason=str(exc))
                return
            with line.board.holding(task.runtime, task.submission):
                await self._end(task, delivery)

    async def _end(self, task: Task, delivery: Delivery) -> None:
        """Run it if it has not ended; then tell it if nobody else does, and acknowledge."""
        line = self.line
        report = await self._ended(task, delivery)
        if report is None or line.board.stops.is_notified_by_stopper(task.submission):
            return  # another tells it; if that died, the next delivery does
        if not report.notified:
            await line.notifier.notify(report, task.context)
            _log_end(report)
        await asyncio.gather(line.ledger.mark_notified(report), self.queue.ack(delivery))

    async def _ended(self, task: Task, delivery: Delivery) -> Report | None:
        """The report that ended it; None where that is another attempt's."""
        may_start = self._may_start(task, delivery)
        ended = await (self._with_head_start(task) if may_start else self._in_turn(task))
        standing = await self.line.ledger.finish(ended)
        # A task that was cancelled before it came is known by its name alone.
        report = replace(standing, runtime=task.runtime, kind=task.kind, callback=task.callback)
        self.line.board.publish(task.submission, report)
        return report if report.attempt == ended.attempt else None

    def _may_start(self, task: Task, delivery: Delivery) -> bool:
        """Whether it may start before the ledger has said that it did not end yet.

        Only what was never received, while nothing runs; never what was cancelled meanwhile; and
        not where the start is to be told with what only the ledger knows.
        """
        board = self.line.board
        new = delivery.attempt == 1 and not self._running and board.was_up_at(delivery.sent)
        tells = task.callback and Status.RUNNING in task.callback.events
        return new and not tells and not board.stops.is_stopped(task.submission)

    async def _in_turn(self, task: Task) -> Report:
        """How it ended: before, as the ledger says, or now."""
        report = await self.line.ledger.start(task)
        return report if report.ended else await self._run(task, report)

    async def _with_head_start(self, task: Task) -> Report:
        """The same, but an idle runtime need not wait for the ledger's answer.

        That it was started all the same (the message was published twice) is known a round trip
        later, and this run stopped.
        """
        run = asyncio.create_task(self._run(task, Report.of(task, Status.RUNNING, 1)))
        try:
            report = await self.line.ledger.start(task)
            if report.attempt == 1 and not report.ended:
                return await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        return report if report.ended else await self._run(task, report)

    async def _run(self, task: Task, report: Report) -> Report:
        """Run it to a report that ends it, or raise for another try."""
        self.line.board.publish(task.submission, report)
        try:
            self._check(task, report)
            await self._notify_running(task, report)
            ended = await self._watch(task, report)
        except RuntimeUnavailable as exc:
            log.warning("runtime_unavailable", extra={**report.log_context(), "why": str(exc)})
            if report.attempt < self.line.rules.max_attempts:
                await self._requeue(task, report)
                raise
            ended = report.failed(exc)
        except TaskFailed as exc:
            ended = report.failed(exc)
        return await self._with_output(task, ended)

    async def _requeue(self, task: Task, report: Report) -> None:
        self.line.board.publish(task.submission, replace(report, status=Status.QUEUED))
        try:
            await self.line.ledger.requeue(report)
        except Unavailable as exc:  # it waits all the same
            log.warning("not_requeued", extra={**report.log_context(), "why": str(exc)})

    def _check(self, task: Task, report: Report) -> None:
        if task.kind not in self.line.kinds:
            can = ", ".join(sorted(self.line.kinds))
            raise TaskFailed(f"tasktype {task.kind!r} is not supported by {task.runtime}: {can}")
        if report.attempt > self.line.rules.max_attempts:
            raise RuntimeUnavailable(f"lost its runtime in each of {report.attempt - 1} attempts")
        refuse(self.line.judge(task.kind, task.content))

    async def _watch(self, task: Task, report: Report) -> Report:
        """Run it until it ends, the board stops it, or the ledger says that it has ended."""
        board, third = self.line.board, self.line.rules.lease_seconds / 3
        run = asyncio.create_task(self._stream(task, report))
        self._running += 1
        try:
            with board.running(task.runtime, task.submission, run.cancel):
                while not run.done():
                    await asyncio.wait([run], timeout=third)
                    if not run.done() and await self._has_ended(task):
                        run.cancel()
        finally:
            self._running -= 1
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        return report.cancelled() if run.cancelled() else run.result()

    async def _stream(self, task: Task, report: Report) -> Report:
        async with aclosing(self.line.runner.run(task, report.attempt)) as stream:
            async for said in stream:
                if isinstance(said, Report):
                    self.line.board.ran(said)
                    return said
                self.line.board.publish(task.submission, said)
        raise RuntimeUnavailable("the replica ended without a report")

    async def _has_ended(self, task: Task) -> bool:
        """Whether it ended elsewhere: cancelled where ingest cannot be asked, or run twice."""
        try:
            found = await self.line.ledger.find(task.id, task.submission)
        except Unavailable:
            return False
        return found is not None and found.ended

    async def _with_output(self, task: Task, report: Report) -> Report:
        """Store the ``.out`` that a failure has too; a completed task's came from its replica."""
        if report.status is not Status.FAILED:
            return report
        uri = f"{self.line.output}/{task.stem}.out"
        body = strict_json.written(failure_output(task, report)).encode()
        await self.line.objects.put(uri, body, "application/json")
        return replace(report, output=uri)

    async def _notify_running(self, task: Task, report: Report) -> None:
        """Tell the start to whom it concerns; a courtesy, for the end will be told."""
        try:
            if self.line.rules.notify_running:
                await self.line.notifier.notify(report, task.context)
            else:
                await self.line.notifier.notify_callback(report, task.context)
        except Unavailable as exc:
            log.warning("start_not_told", extra={**report.log_context(), "why": str(exc)})


def _log_end(report: Report) -> None:
    why = {"why": report.failure.message} if report.failure else {}
    log.info("task_ended", extra={**report.log_context(), "seconds": dict(report.seconds), **why})
