"""Worker in trouble: parts break or are away, it ends, and no task is lost or notified twice."""

import asyncio
import json
from collections.abc import Mapping, Sequence

import pytest

from ingest.memory import MemoryLedger, MemoryQueue, MemoryTopic
from ingest.notify import Notifier
from models.errors import RuntimeUnavailable, Unavailable
from models.ports import Delivery
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Task
from tests.ingest.test_board import collected, following
from tests.ingest.world import Mute, World, message, until


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


async def test_a_vanished_runtime_gets_another_try_at_once(world: World) -> None:
    world.runtime.acts = [RuntimeUnavailable("node gone"), 0.0]
    await world.publish()

    async with world.working():
        async with asyncio.timeout(2):  # the lease is 3 s: it was handed back, not left to lapse
            (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert world.runtime.runs == 2


async def test_a_task_that_lost_its_runtime_is_queued_again_for_all_to_see(world: World) -> None:
    task = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image")
    world.runtime.acts = [RuntimeUnavailable("node gone")]
    world.worker.rules = Tasks(maxAttempts=2)
    (delivery,) = [
        Delivery(id="m", receipt="r", body=json.dumps(message()), attributes={"submission": "s1"})
    ]
    async with following(world.board) as events:
        await world.board.watch("front", ["s1"], [])
        with pytest.raises(RuntimeUnavailable):
            await world.worker.handle(delivery)
        updates = await collected(events, 3)

    waiting = await world.ledger.find(task.id)
    assert [each.status for each in updates if isinstance(each, Report)] == ["running", "queued"]
    assert waiting is not None
    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 1)


async def test_a_runtime_that_keeps_vanishing_ends_as_failed(world: World) -> None:
    world.runtime.acts = [RuntimeUnavailable("CUDA fault")]
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert (notification["status"], notification["result"], notification["image_url"]) == (
        "failed",
        False,
        [],
    )
    assert world.runtime.runs == 3
    out = json.loads(world.objects.bodies[notification["output_url"]])
    assert out["parameters"]["error_msg"] == "CUDA fault"
    assert out["parameters"]["error"] == "RuntimeUnavailable"


async def test_draining_hands_back_what_does_not_end(world: World) -> None:
    world.runtime.acts = [60.0]
    await world.publish()

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 1)
        world.worker.drain()
        work.cancel()
        await asyncio.wait([work])

    assert len(await world.queue.receive(10)) == 1


class AwayLedger(MemoryLedger):
    """Ledger that does not answer for a while."""

    away = True

    def check(self) -> None:
        if self.away:
            raise Unavailable("the ledger is down")

    async def queue(self, task: Task, key: str | None = None) -> Report:
        self.check()
        return await super().queue(task, key)

    async def start(self, task: Task) -> Report:
        self.check()
        return await super().start(task)

    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        self.check()
        return await super().find(id, submission, key)


async def test_while_the_ledger_is_down_tasks_wait_and_none_is_lost(world: World) -> None:
    ledger = AwayLedger()
    world.worker.ledger = ledger
    await world.publish()
    await world.redeliver()

    async with world.working() as work:
        await asyncio.sleep(0.2)
        assert world.runtime.runs == 0
        assert not work.done()
        ledger.away = False
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"


async def test_a_run_that_is_ahead_of_a_ledger_that_is_down_is_stopped(world: World) -> None:
    ledger = AwayLedger()
    world.worker.ledger = ledger
    world.runtime.acts = [60.0, 0.0]
    await world.publish(submission="s1")

    async with world.working():
        await until(lambda: world.runtime.stopped == 1)
        await world.publish(submission="s2")  # no run is ahead of it again
        await asyncio.sleep(0.6)
        runs = world.runtime.runs
        ledger.away = False
        notifications = await world.notifications(2)

    assert runs == 1
    assert {one["submission"] for one in notifications} == {"s1", "s2"}


class Deaf(MemoryTopic):
    """Results topic that fails its first publication."""

    fails = 1

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if self.fails:
            self.fails -= 1
            raise Unavailable("the topic is down")
        await super().publish(message, attributes)


def deafen(world: World) -> None:
    """Give a world a topic that is down at first."""
    world.results = Deaf()
    world.worker.notifier = Notifier(results=world.results, callbacks=world.calls)


async def test_a_report_that_could_not_be_notified_is_notified_later_without_a_second_run(
    world: World,
) -> None:
    deafen(world)
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert world.runtime.runs == 1


async def test_copies_of_what_runs_wait_for_its_end(world: World) -> None:
    world.runtime.acts = [0.2]
    for _ in range(3):
        await world.publish(submission="s1")

    async with world.working():
        await until(lambda: world.queue.depth == 0)
    report = await world.ledger.find("a")

    assert report is not None
    assert (world.runtime.runs, report.attempt, len(world.results.published)) == (1, 1, 1)


async def test_a_copy_takes_over_what_lost_its_runtime(world: World) -> None:
    world.runtime.acts = [RuntimeUnavailable("node gone"), 0.1]
    for _ in range(2):
        await world.publish(submission="s1")

    async with world.working():
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert (notification["status"], world.runtime.runs) == ("completed", 2)
    assert len(world.results.published) == 1


async def test_of_two_racing_attempts_one_report_is_told(world: World) -> None:
    """The other one runs elsewhere, as beside an ingest that is about to be replaced."""
    task = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")
    world.runtime.acts = [0.3]
    await world.publish(submission="s1")

    async with world.working():
        async with asyncio.timeout(5):  # until its start is counted, which is after it began
            while not (known := await world.ledger.find("a")) or not known.attempt:
                await asyncio.sleep(0)
        elsewhere = await world.ledger.start(task)
        await world.ledger.finish(elsewhere.completed((), "s3://outputs/x.out", {}))
        await asyncio.sleep(0.5)

    assert world.results.published == []
    assert world.queue.depth == 1


async def test_a_task_that_lost_its_runtime_every_time_is_not_started_again(world: World) -> None:
    task = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")
    await world.publish()
    await world.redeliver(3)
    for _ in range(3):  # three workers started it, and died with it
        await world.ledger.start(task)

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "failed"
    assert world.runtime.runs == 0


async def test_what_arrives_while_draining_is_handed_back(world: World) -> None:
    async with world.working() as work:
        world.worker.drain()
        await world.publish()
        await asyncio.wait([work], timeout=2)

    assert world.runtime.runs == 0
    assert len(await world.queue.receive(10)) == 1


async def test_a_start_that_cannot_be_told_stops_nothing() -> None:
    world = World(Tasks(leaseSeconds=3, notifyRunning=True))
    deafen(world)
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert world.runtime.runs == 1


async def test_a_replica_that_ends_without_a_report_gets_another_try(world: World) -> None:
    world.runtime.acts = [Mute(), 0.0]
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert world.runtime.runs == 2


async def test_a_message_that_breaks_the_worker_does_not_stop_it(world: World) -> None:
    world.runtime.acts = [KeyError("a bug"), 0.0]
    await world.publish(submission="s1")
    await world.publish(submission="s2")

    async with world.working():
        notifications = await world.notifications(2)  # the first comes back when its lease ends

    assert {one["submission"] for one in notifications} == {"s1", "s2"}


class Unreachable(MemoryQueue):
    """Queue that does not answer at first, nor takes a lease's renewal or hand-back."""

    fails = 2

    async def receive(self, most: int) -> Sequence[Delivery]:
        if self.fails:
            self.fails -= 1
            raise Unavailable("the queue is down")
        return await super().receive(most)

    async def extend(self, delivery: Delivery, seconds: int) -> None:
        raise Unavailable("the queue is down")


async def test_a_queue_that_is_away_is_asked_again() -> None:
    world = World(Tasks(leaseSeconds=3))
    queue = Unreachable(visibility=3)
    world.tasks.subscribe(queue)
    world.worker.queue = queue
    world.runtime.acts = [RuntimeUnavailable("gone"), 1.2]  # not handed back, and not renewed
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
