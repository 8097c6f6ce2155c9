"""The line of a task, from its delivery to its notification."""

import asyncio
import json
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ingest.envelope import Envelope
from ingest.lease import lease
from models.errors import InvalidTask, RuntimeUnavailable, TaskError, TaskFailed, Unavailable
from models.notification import failure_output, notification
from models.ports import Delivery, Ledger, Objects, Queue, Runner, Topic
from models.report import Report, Status
from models.settings import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")

_BATCH = 10  # the most that one receive gives
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a worker works with, for one runtime."""

    queue: Queue
    envelope: Envelope
    ledger: Ledger
    objects: Objects
    results: Topic
    runner: Runner
    kinds: frozenset[str]
    """The kinds of task that the runtime can do."""
    output: str
    """``s3://`` URI of the bucket of artifacts."""
    rules: Tasks


class Worker:
    """Brings the tasks of one runtime's queue to their end."""

    def __init__(self, line: Line, capacity: int) -> None:
        self.line = line
        self.capacity = capacity
        """Tasks leased at once; the rest stays visible in the queue."""
        self._leased = 0
        self._running = 0
        self._room = asyncio.Event()
        self._pause = 0.0
        self._draining = False

    async def work(self) -> None:
        """Receive and handle until `drain`; returns when all that is leased has ended."""
        async with asyncio.TaskGroup() as group:
            while not self._draining:
                await asyncio.sleep(self._pause)
                for delivery in await self._receive():
                    self._leased += 1
                    group.create_task(self._bring(delivery))

    def drain(self) -> None:
        """Receive no more.

        A poll under way is left to its end: cancelled, it would keep what it was about to bring
        invisible until the lease ends.
        """
        self._draining = True
        self._room.set()

    async def handle(self, delivery: Delivery) -> None:
        """Bring one delivery to an end: reported and acknowledged, or rejected.

        Raises:
            RuntimeUnavailable: it was handed back for another try.
            Unavailable: a part of the platform is away; it comes back when its lease ends.
        """
        line = self.line
        async with lease(line.queue, delivery, line.rules.lease_seconds):
            try:
                task = await line.envelope.open(delivery)
            except InvalidTask as exc:
                log.warning("message_rejected", extra={"message_id": delivery.id, "why": str(exc)})
                await line.queue.reject(delivery, reason=str(exc))
                return
            idle = delivery.attempt == 1 and not self._running
            ended = await (self._with_head_start(task) if idle else self._in_turn(task))
            report = await line.ledger.finish(ended)
            if report.attempt != ended.attempt:
                return  # another attempt tells it; if that died, the next delivery does
            if not report.told:
                await self._tell(task, report)
            await asyncio.gather(line.ledger.tell(report), line.queue.ack(delivery))

    async def _in_turn(self, task: Task) -> Report:
        """How it ended: before, as the ledger says, or now."""
        report = await self.line.ledger.start(task)
        return report if report.ended else await self._run(task, report)

    async def _with_head_start(self, task: Task) -> Report:
        """The same, but an idle runtime need not wait for the ledger's answer.

        Only for what was never received before: that it was started all the same (the message was
        published twice) is known a round trip later, and this run stopped.
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
        try:
            self._check(task, report)
            if self.line.rules.notify_running:
                await self._tell_running(task, report)
            ended = await self._watch(task, report)
        except RuntimeUnavailable as exc:
            log.warning("runtime_unavailable", extra={**report.log_context(), "why": str(exc)})
            if report.attempt < self.line.rules.max_attempts:
                raise
            ended = report.failed(exc)
        except TaskFailed as exc:
            ended = report.failed(exc)
        return await self._with_output(task, ended)

    def _check(self, task: Task, report: Report) -> None:
        if task.kind not in self.line.kinds:
            can = ", ".join(sorted(self.line.kinds))
            raise TaskFailed(f"tasktype {task.kind!r} is not supported by {task.runtime}: {can}")
        if report.attempt > self.line.rules.max_attempts:
            raise RuntimeUnavailable(f"lost its runtime in each of {report.attempt - 1} attempts")

    async def _watch(self, task: Task, report: Report) -> Report:
        self._running += 1
        try:
            async with aclosing(self.line.runner.run(task, report.attempt)) as stream:
                async for said in stream:
                    if isinstance(said, Report):
                        return said
                    log.debug("task_progress", extra={**task.log_context(), "step": said.step})
        finally:
            self._running -= 1
        raise RuntimeUnavailable("the replica ended without a report")

    async def _with_output(self, task: Task, report: Report) -> Report:
        """Store the ``.out`` that a failure has too; a completed task's came from its replica."""
        if report.status is not Status.FAILED:
            return report
        uri = f"{self.line.output}/{task.stem}.out"
        body = json.dumps(failure_output(task, report)).encode()
        await self.line.objects.put(uri, body, "application/json")
        return replace(report, output=uri)

    async def _tell(self, task: Task, report: Report) -> None:
        await self.line.results.publish(notification(task, report), {})
        why = {"why": report.failure.message} if report.failure else {}
        log.info(
            "task_ended", extra={**report.log_context(), "seconds": dict(report.seconds), **why}
        )

    async def _tell_running(self, task: Task, report: Report) -> None:
        try:
            await self.line.results.publish(notification(task, report), {})
        except Unavailable as exc:  # a courtesy; the result will be told
            log.warning("start_not_told", extra={**report.log_context(), "why": str(exc)})

    async def _receive(self) -> Sequence[Delivery]:
        """What the runtime can use soon; nothing any more once we drain."""
        while self._leased >= self.capacity and not self._draining:
            self._room.clear()
            await self._room.wait()
        if self._draining:
            return ()
        try:
            got = await self.line.queue.receive(min(_BATCH, self.capacity - self._leased))
        except Unavailable as exc:
            self._slow_down(exc)
            return ()
        if self._draining:
            await asyncio.gather(*(self.line.queue.extend(each, 0) for each in got))
            return ()
        return got

    async def _bring(self, delivery: Delivery) -> None:
        try:
            await self.handle(delivery)
            self._pause = 0.0
        except TaskError as exc:
            log.warning("handed_back", extra={"message_id": delivery.id, "why": str(exc)})
        except Unavailable as exc:
            self._slow_down(exc)
        except Exception:  # whatever one message does to us, the next is received
            log.exception("delivery_broke", extra={"message_id": delivery.id})
        finally:
            self._leased -= 1
            self._room.set()

    def _slow_down(self, exc: Unavailable) -> None:
        self._pause = min(_LONGEST_PAUSE, max(0.5, self._pause * 2))
        log.warning("platform_unavailable", extra={"why": str(exc), "pause": self._pause})
