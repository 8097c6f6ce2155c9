"""Ends that come at the worst moment: of a drain, of a client, of a call that Ray cancels."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from typing_extensions import override

from ingest.memory import MemoryLedger
from models.errors import Unavailable
from models.event import Update
from models.fence import Fence
from models.ports import Runner
from models.report import Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Task
from tests.ingest.world import World, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")


class SlowToMark(MemoryLedger):
    """Ledger that takes its time to note that an end was told."""

    @override
    async def mark_notified(self, report: Report, *, called: bool = True) -> None:
        await asyncio.sleep(0.1)
        await super().mark_notified(report, called=called)


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


async def found(ledger: MemoryLedger) -> Report:
    report = await ledger.find("a", "s1")
    assert report is not None
    return report


async def test_a_drain_that_is_over_lets_an_end_be_told_once(world: World) -> None:
    world.worker.ledger = ledger = SlowToMark()
    await world.publish()

    async with world.working() as work:
        await until(lambda: len(world.results.published) == 1)
        work.cancel()
        await asyncio.wait([work])

    assert (await found(ledger)).notified
    assert world.queue.depth == 0


async def test_a_client_that_leaves_its_cancel_lets_it_be_told_once(world: World) -> None:
    ledger = SlowToMark()
    cancel = world.canceller(ledger)
    await ledger.queue(TASK)

    cancelling = asyncio.create_task(cancel("a", "s1"))
    await until(lambda: len(world.results.published) == 1)
    cancelling.cancel()
    await asyncio.wait([cancelling])

    assert (await found(ledger)).notified


class EndedByRay(Runner):
    """Replicas whose first call Ray cancels, as where a node is lost."""

    runs = 0

    @override
    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        self.runs += 1
        yield Stage.RUNNING
        if self.runs == 1:
            raise asyncio.CancelledError
        report = Report.of(task, Status.RUNNING, attempt)
        yield report.completed((), "s3://outputs/p/a.out", {"run": 0.0})


async def test_a_call_that_ray_cancels_is_a_lost_replica(world: World) -> None:
    world.worker.runner = EndedByRay()
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert (await found(world.ledger)).attempt == 2


class Forgetful(MemoryLedger):
    """Ledger that does not answer the first time that a task is held on to."""

    holds = 0

    @override
    async def hold(self, report: Report, fence: Fence) -> Report:
        self.holds += 1
        if self.holds == 1:
            raise Unavailable("the ledger is away")
        return await super().hold(report, fence)


async def test_a_fence_is_moved_on_a_second_after_the_ledger_was_away() -> None:
    """Two holds are a third of a lease apart, and the fence lapses in less than one."""
    world = World(Tasks(leaseSeconds=9))
    world.worker.ledger = ledger = Forgetful()
    world.runtime.acts = [60.0]
    await world.publish()

    async with world.working() as work:
        await until(lambda: ledger.holds == 1)
        await until(lambda: ledger.holds == 2, seconds=2)
        work.cancel()


async def test_a_start_of_a_run_before_does_not_hold_the_next_one(world: World) -> None:
    """A delivery has two runs, since the store was away; each has a token of its own."""
    world.runtime.acts = [Unavailable("S3 is down"), 0.5]
    await world.publish()

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        first = (await found(world.ledger)).fence
        await until(lambda: world.runtime.runs == 2)
        await asyncio.sleep(0.05)
        running = await found(world.ledger)
        assert first is not None
        await world.ledger.requeue(running, first)  # lands late, of the first run
        standing = await found(world.ledger)
        await world.notifications(1)

    assert not running.is_of(first)
    assert standing.status is Status.RUNNING
