"""Run of a task: handed to the replicas, counted when it begins, and stopped where it has ended."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ingest.board import Board
from ingest.lease import Lease
from ingest.paces import Hold
from ingest.time_limits import TimeLimits
from models.errors import (
    HeldElsewhere,
    PlaceGone,
    RuntimeUnavailable,
    TaskExpired,
    TaskFailed,
    Unavailable,
)
from models.ledger import Ledger
from models.patience import DRAWN_SECONDS, LONGEST_PAUSE, Patience
from models.ports import Runner
from models.report import Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Task

_LEDGER_SECONDS = 5.0
"""Seconds for which a run that is stopped waits for the ledger to take its start."""

_BEYOND_SECONDS = DRAWN_SECONDS + 120.0
"""Seconds that a replica may take beyond those in which it loads and runs: it keeps what is drawn
until the store takes it, and ends what blocks within a minute."""

log = logging.getLogger("ray.serve.atelier.ingest")


@dataclass(kw_only=True, eq=False)
class Run:
    """Run of one task.

    An attempt is a run that began: the ledger counts it beside the run. One that a replica never
    began is no attempt, nor one that ends by a drain, or because a store or its place is away.
    """

    task: Task
    known: Report
    """Report on the task before this run."""
    limits: TimeLimits
    held: Lease
    """Lease of the delivery."""
    hold: Hold
    runner: Runner
    ledger: Ledger
    patience: Patience
    board: Board
    rules: Tasks
    tell_start: Callable[[Report], Awaitable[None]]
    first_look: float | None = None
    """Seconds until the ledger is asked about a task that runs ahead of it, unless it has begun by
    then; None: the ledger was asked before."""
    _updates: "asyncio.Task[Report]" = field(init=False)
    _start: "asyncio.Task[None] | None" = field(default=None, init=False)
    _counted: Report | None = field(default=None, init=False)
    """Report of the ledger's last answer since the task began."""
    _given_up: bool = field(default=False, init=False)
    _expired: TaskExpired | None = field(default=None, init=False)
    _unwanted: bool = field(default=False, init=False)
    """Flag: the board or the ledger said that the task is not to run here."""
    _end_by: float = field(default=math.inf, init=False)
    """Moment of the event loop by which the replica has to have ended what it has begun."""

    async def end(self) -> Report:
        """Run the task; return a report that ends it, or how it had ended before.

        Raises:
            RuntimeUnavailable: no replica brought it to an end, and another try is left.
            HeldElsewhere: another has the task.
            Unavailable: a store of inputs or artifacts is away, or the ledger for long.
        """
        self._updates = asyncio.create_task(self._read_updates())
        try:
            await self._watch()
            return await self._outcome()
        except (asyncio.CancelledError, Unavailable):
            await self._stop()
            await self._take_back()
            raise
        finally:
            await self._stop()

    def give_up_waiting(self) -> None:
        """End the run as one that no replica brought to an end, unless it has begun."""
        if self._start is None:
            self._given_up = True
            self._updates.cancel()

    async def _watch(self) -> None:
        """Wait for the end of the run; stop it when the board or the ledger says that it ended."""
        looks = asyncio.create_task(self._look())
        expiry = asyncio.create_task(self._expire())
        try:
            with self.board.stops.running(self.task.submission, self._end_unwanted):
                await asyncio.wait([self._updates, looks], return_when=asyncio.FIRST_COMPLETED)
                if looks.done():
                    looks.result()
                    await asyncio.wait([self._updates])
        finally:
            looks.cancel()
            expiry.cancel()
            await asyncio.gather(looks, expiry, return_exceptions=True)

    async def _expire(self) -> None:
        """End the run when the task's time is over."""
        has_begun = self.known.attempt > 0
        self._expired = await self.limits.wait(lambda: has_begun or self._start is not None)
        if self._expired:
            self._updates.cancel()

    async def _look(self) -> None:
        """Ask the ledger until it says that the task has ended; then stop the run.

        It is asked at each third of a lease, since it alone knows of a cancel where the board could
        not be asked, and of a run elsewhere. That a run began, `start` tells it, and is answered.
        """
        if self.first_look is not None:
            await asyncio.sleep(self.first_look)
            if self._start is None and await self._is_ours() is False:
                self._end_unwanted()
                return
        pause = third = self.rules.lease_seconds / 3
        while True:
            await asyncio.sleep(pause)
            if asyncio.get_running_loop().time() > self._end_by:
                log.warning("run_given_up", extra=self.known.log_context())
                self._updates.cancel()  # by no order, as where its replica is lost
                return
            is_ours = await self._is_ours()
            if is_ours is False:
                self._end_unwanted()
                return
            # The fence lapses in less than a lease: it is moved on as soon as the ledger is back.
            pause = LONGEST_PAUSE if is_ours is None else third

    async def _read_updates(self) -> Report:
        async with aclosing(self.runner.run(self.task, self.known.attempt + 1)) as updates:
            async for update in updates:
                if isinstance(update, Report):
                    self.hold.add(update)
                    return update
                if update is Stage.RUNNING and self._start is None:
                    self._begin()
                self.board.publish(self.task.submission, update)
        raise RuntimeUnavailable("the replica ended without a report")

    def _begin(self) -> None:
        """Note that the task has the GPU, which does not wait for that."""
        self.hold.begin()
        longest = 2 * self.rules.deadline_seconds + _BEYOND_SECONDS
        self._end_by = asyncio.get_running_loop().time() + longest
        began = replace(self.known, status=Status.RUNNING, attempt=self.known.attempt + 1)
        self.board.publish(self.task.submission, began)
        self._start = asyncio.create_task(self._count_attempt())

    async def _count_attempt(self) -> None:
        """Count the attempt and tell of the start; stop the run if the task has ended."""
        try:
            # The run goes on while the ledger is away.
            report = await self.patience(
                lambda: self.ledger.start(self.task, self.held.fence), DRAWN_SECONDS
            )
        except Exception:
            self._updates.cancel()
            raise
        self._counted = report
        if not self._is_held(report):
            self._end_unwanted()
            return
        if report.attempt != self.known.attempt + 1:  # others tried, or this goes on for one
            self.board.publish(self.task.submission, report)
        await self.tell_start(report)

    def _end_unwanted(self) -> None:
        """End the run of a task that was cancelled, has ended, or is another's."""
        self._unwanted = True
        self._updates.cancel()

    async def _is_ours(self) -> bool | None:
        """Ask the ledger whether the task may go on here; None if it does not answer.

        One that still waits is noted as queued: it may run ahead of the ledger. One that has begun
        keeps others off for another lease.
        """
        try:
            if self._start is None:
                return not (await self.ledger.queue(self.task, self.task.owner)).ended
            if self._counted is None:
                return True  # its start is being told, and for how long it is held
            self._counted = await self.ledger.hold(self._counted, self.held.fence)
        except Unavailable as exc:
            self.patience.failed(exc)
            return None
        return self._is_held(self._counted)

    def _is_held(self, report: Report) -> bool:
        return not report.ended and report.is_of(self.held.fence)

    async def _outcome(self) -> Report:
        standing = await self._standing()
        if standing.ended:
            return standing
        if self._start and not standing.is_of(self.held.fence):
            raise HeldElsewhere
        if self._given_up:
            raise PlaceGone("ingest ended while the task waited for a replica")
        if self._unwanted and self._updates.cancelled():
            return standing.cancelled()
        try:
            # The number is the ledger's: another run may have been counted meanwhile.
            return replace(self._result(), attempt=standing.attempt)
        except TaskFailed as exc:
            return standing.failed(exc)
        except RuntimeUnavailable as exc:
            log.warning("runtime_unavailable", extra={**standing.log_context(), "why": str(exc)})
            counts = not isinstance(exc, PlaceGone)
            if self._start and counts and standing.attempt >= self.rules.max_attempts:
                return standing.failed(exc)
            if self._start:
                await self.patience(lambda: self._requeue(standing, counts=counts))
            raise

    def _result(self) -> Report:
        """Return the report of the replica.

        Raises:
            TaskFailed: the runtime refused the task, or its time is over.
            RuntimeUnavailable: no replica brought it to an end.
        """
        if self._expired and self._updates.cancelled():
            raise self._expired
        if self._updates.cancelled():  # by Ray, as where a node is lost: nobody here ordered it
            raise RuntimeUnavailable("its replica's call was cancelled")
        return self._updates.result()

    async def _standing(self) -> Report:
        """Return the report as it is without the outcome of this run: running, if it has begun.

        The ledger's answer is waited for, and that the start was told: never after the end.
        """
        if self._start:
            # Awaited itself, it would be cancelled with the one who waits.
            await asyncio.wait([self._start])
            self._start.result()
        return self._counted or self.known

    async def _stop(self) -> None:
        """Stop the run, and wait until nothing of it is under way."""
        self._updates.cancel()
        parts: list[asyncio.Task[Any]] = [self._updates]
        if self._start:
            # What the ledger was told of the start is better known; while it is away, it is not.
            await asyncio.wait([self._start], timeout=_LEDGER_SECONDS)
            self._start.cancel()
            parts.append(self._start)
        await asyncio.gather(*parts, return_exceptions=True)

    async def _take_back(self) -> None:
        """Take the attempt back, for the runtime was not at fault."""
        if self._counted is None or not self._is_held(self._counted):
            return
        try:
            await self._requeue(self._counted, counts=False)
        except Unavailable as exc:  # others wait until the fence lapses
            log.warning("not_requeued", extra={**self._counted.log_context(), "why": str(exc)})

    async def _requeue(self, report: Report, *, counts: bool) -> None:
        self.board.publish(self.task.submission, replace(report, status=Status.QUEUED))
        await self.ledger.requeue(report, self.held.fence, counts=counts)
