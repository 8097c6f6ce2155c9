"""Run of a task: handed to the replicas, counted when it begins, and stopped where it has ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from ingest.board import Board
from ingest.paces import Hold
from models.errors import PlaceGone, RuntimeUnavailable, TaskFailed, Unavailable
from models.ports import Ledger, Runner
from models.report import Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.ingest")


@dataclass(kw_only=True, eq=False)
class Run:
    """Run of one task.

    An attempt is a run that began: the ledger counts it beside the run. One that a replica never
    began is no attempt, nor one that ends by a drain, or because a store is away.
    """

    task: Task
    known: Report
    """Report on the task before this run."""
    hold: Hold
    runner: Runner
    ledger: Ledger
    board: Board
    rules: Tasks
    tell_start: Callable[[Report], Awaitable[None]]
    first_look: float | None = None
    """Seconds until the ledger is asked about a task that runs ahead of it, unless it has begun by
    then; None: the ledger was asked before."""
    _updates: "asyncio.Task[Report]" = field(init=False)
    _start: "asyncio.Task[Report] | None" = field(default=None, init=False)
    _given_up: bool = field(default=False, init=False)

    async def end(self) -> Report:
        """Run the task; return a report that ends it, or how it had ended before.

        Raises:
            RuntimeUnavailable: no replica brought it to an end, and another try is left.
            Unavailable: the ledger or a store is away.
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
        try:
            with self.board.stops.running(self.task.submission, self._updates.cancel):
                await asyncio.wait([self._updates, looks], return_when=asyncio.FIRST_COMPLETED)
                if looks.done():
                    looks.result()
                    await asyncio.wait([self._updates])
        finally:
            looks.cancel()
            await asyncio.gather(looks, return_exceptions=True)

    async def _look(self) -> None:
        """Ask the ledger until it says that the task has ended; then stop the run.

        It is asked at each third of a lease, since it alone knows of a cancel where the board could
        not be asked, and of a run elsewhere. That a run began, `start` tells it, and is answered.
        """
        if self.first_look is not None:
            await asyncio.sleep(self.first_look)
            if self._start is None and await self._has_ended():
                self._updates.cancel()
                return
        while True:
            await asyncio.sleep(self.rules.lease_seconds / 3)
            if await self._has_ended():
                self._updates.cancel()
                return

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
        began = replace(self.known, status=Status.RUNNING, attempt=self.known.attempt + 1)
        self.board.publish(self.task.submission, began)
        self._start = asyncio.create_task(self._count_attempt())

    async def _count_attempt(self) -> Report:
        """Count the attempt and tell of the start; stop the run if the task has ended."""
        try:
            report = await self.ledger.start(self.task)
        except Exception:
            self._updates.cancel()
            raise
        if report.ended:
            self._updates.cancel()
            return report
        if report.attempt > self.known.attempt + 1:  # a copy runs elsewhere: this is the later one
            self.board.publish(self.task.submission, report)
        await self.tell_start(report)
        return report

    async def _has_ended(self) -> bool:
        """Ask the ledger whether the task has ended; if it does not answer, take it that not.

        One that still waits is noted as queued: it may run ahead of the ledger.
        """
        try:
            if self._start is None:
                return (await self.ledger.queue(self.task, self.task.owner)).ended
            found = await self.ledger.find(self.task.id, self.task.submission)
        except Unavailable:
            return False
        return found is not None and found.ended

    async def _outcome(self) -> Report:
        standing = await self._standing()
        if standing.ended:
            return standing
        if self._given_up:
            raise PlaceGone("ingest ended while the task waited for a replica")
        if self._updates.cancelled():
            return standing.cancelled()
        try:
            # The number is the ledger's: another run elsewhere may have been counted meanwhile.
            return replace(self._updates.result(), attempt=standing.attempt)
        except TaskFailed as exc:
            return standing.failed(exc)
        except RuntimeUnavailable as exc:
            log.warning("runtime_unavailable", extra={**standing.log_context(), "why": str(exc)})
            if self._start and standing.attempt >= self.rules.max_attempts:
                return standing.failed(exc)
            if self._start:
                await self._requeue(standing, counts=True)
            raise

    async def _standing(self) -> Report:
        """Return the report as it is without the outcome of this run: running, if it has begun.

        The ledger's answer is waited for, and that the start was told: never after the end.
        """
        if self._start is None:
            return self.known
        # Awaited itself, it would be cancelled with the one who waits.
        await asyncio.wait([self._start])
        return self._start.result()

    async def _stop(self) -> None:
        """Stop the run, and wait until nothing of it is under way."""
        self._updates.cancel()
        parts = [self._updates, self._start] if self._start else [self._updates]
        await asyncio.gather(*parts, return_exceptions=True)

    async def _take_back(self) -> None:
        """Take the attempt back, for the runtime was not at fault."""
        try:
            standing = await self._standing()
        except Unavailable:
            return  # it was not counted
        if self._start and not standing.ended:
            await self._requeue(standing, counts=False)

    async def _requeue(self, report: Report, *, counts: bool) -> None:
        self.board.publish(self.task.submission, replace(report, status=Status.QUEUED))
        try:
            await self.ledger.requeue(report, counts=counts)
        except Unavailable as exc:  # it waits in the queue all the same
            log.warning("not_requeued", extra={**report.log_context(), "why": str(exc)})
