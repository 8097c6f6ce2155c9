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
from ingest.lease import Lease, lease
from ingest.leftovers import Leftovers
from ingest.notify import Notifier
from ingest.paces import Hold
from ingest.receiver import Receiver
from ingest.run import Run
from ingest.telling import Telling, completed
from ingest.time_limits import TimeLimits
from models import strict_json
from models.errors import (
    HeldElsewhere,
    InvalidTask,
    PlaceGone,
    RuntimeUnavailable,
    TaskError,
    TaskFailed,
    Unavailable,
)
from models.ledger import Ledger
from models.notification import failure_output
from models.patience import DRAWN_SECONDS
from models.ports import Delivery, Objects, Runner
from models.report import Report, Status
from models.runtimes.content import Fault, refuse
from models.settings.groups import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")


_NOTED_SECONDS = 1.0
"""Seconds after which a task that has not begun is noted as queued: most have begun by then."""

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
    clock: Callable[[], float] = time.time
    """Wall clock, in seconds since 1970."""
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
            HeldElsewhere: another ingest has its task; it was handed back.
            Unavailable: a part of the platform is away for long; it comes back when its lease
                lapses.
        """
        seconds = self.rules.lease_seconds
        async with lease(self.queue, delivery, seconds, self.clock) as held:
            try:
                task = await self.patience(lambda: self.envelope.open(delivery))
            except InvalidTask as exc:
                log.warning("message_rejected", extra={"message_id": delivery.id, "why": str(exc)})
                await self.queue.reject(delivery, reason=str(exc))
                return
            with self.board.holding(task.runtime, task.submission, delivery.sent) as hold:
                async with self._locks.setdefault(task.submission, asyncio.Lock()):
                    await self._end(task, delivery, held, hold)

    async def _end(self, task: Task, delivery: Delivery, held: Lease, hold: Hold) -> None:
        """Run the task unless it has ended; notify unless another does; acknowledge."""
        report = await self._ended(task, delivery, held, hold)
        telling = Telling(
            queue=self.queue,
            ledger=self.ledger,
            notifier=self.notifier,
            patience=self.patience,
        )
        try:
            await telling(task, report, delivery, held)
        finally:  # whoever tells of it
            if report.status is Status.CANCELLED and (hold.has_begun or report.attempt):
                leftovers = Leftovers(objects=self.objects, output=self.output)
                await leftovers.remove(task, just_ran=hold.has_begun)

    async def _ended(self, task: Task, delivery: Delivery, held: Lease, hold: Hold) -> Report:
        """Run the task to its end; return the report that stands.

        Raises:
            HeldElsewhere: another has the task.
        """
        ahead = self._may_run_ahead(task, delivery)
        known = Report.of(task, Status.QUEUED)
        if not ahead:  # a task that nobody queued is noted as queued
            known = await self.patience(lambda: self.ledger.queue(task, task.owner))
            if known.status is Status.RUNNING and known.is_fenced(self.clock()):
                raise HeldElsewhere
        ended = (
            known
            if known.ended
            else await self._run(task, known, delivery, held, hold, ahead=ahead)
        )
        if not known.ended:
            ended = await self.patience(
                lambda: self.ledger.finish(ended, held.fence), DRAWN_SECONDS
            )
        if not ended.ended:
            raise HeldElsewhere
        report = completed(ended, task)
        self.board.publish(task.submission, report)
        return report

    def _may_run_ahead(self, task: Task, delivery: Delivery) -> bool:
        """Tell whether the task may go to a replica before the ledger is asked.

        One may that comes for the first time, while replicas run. Its start tells whether that was
        right: if it has ended (it was published twice), its run is stopped.
        """
        is_well = not (self.asleep or self.patience.is_tried)
        is_first = delivery.attempt == 1
        return is_well and is_first and self.board.is_likely_new(task.submission, delivery.sent)

    async def _run(
        self,
        task: Task,
        known: Report,
        delivery: Delivery,
        held: Lease,
        hold: Hold,
        *,
        ahead: bool,
    ) -> Report:
        """Run the task; return a report that ends it.

        Raises:
            RuntimeUnavailable: no replica brought it to an end, and another try is left.
            HeldElsewhere: another has the task.
        """
        limits = TimeLimits(task=task, sent=delivery.sent, clock=self.clock)
        try:
            limits.check(begun=known.attempt > 0)
            self._check(task, known)
        except TaskError as exc:
            ended = known.failed(exc)
        else:
            # A store that is away ends the run, which does not count: it is made again.
            ended = await self.patience(
                lambda: self._run_once(task, known, limits, held, hold, ahead=ahead)
            )
        # Before the ledger knows of the end: who is told of it finds the file.
        return await self.patience(lambda: self._with_output(task, ended), DRAWN_SECONDS)

    async def _run_once(
        self,
        task: Task,
        known: Report,
        limits: TimeLimits,
        held: Lease,
        hold: Hold,
        *,
        ahead: bool,
    ) -> Report:
        held.begin_run()
        run = Run(
            task=task,
            known=known,
            limits=limits,
            held=held,
            hold=hold,
            runner=self.runner,
            ledger=self.ledger,
            patience=self.patience,
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
        # One that runs was with an ingest that died: that start goes on here.
        if known.status is Status.QUEUED and known.attempt >= self.rules.max_attempts:
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
