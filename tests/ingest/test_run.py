"""Run: a task waits until it has the GPU, and only a start on the GPU is an attempt."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from ingest import run
from ingest.lease import lease
from ingest.memory import MemoryLedger, MemoryQueue, MemoryTopic
from models.errors import RuntimeUnavailable, Unavailable
from models.event import Event
from models.fence import Fence
from models.ports import Delivery
from models.report import Report, Stage, Status
from models.settings.groups import Tasks
from models.task import Task
from tests.fences import DEAD, MINE, OTHER
from tests.ingest.test_board import collected, following
from tests.ingest.world import Unbegun, World, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


async def found(world: World, submission: str = "s1") -> Report:
    report = await world.ledger.find("a", submission)
    assert report is not None
    return report


async def noted(world: World) -> Report:
    """Wait until the ledger knows the task."""
    async with asyncio.timeout(5):
        while (report := await world.ledger.find("a", "s1")) is None:
            await asyncio.sleep(0.01)
    return report


async def submitted(world: World, submission: str) -> None:
    """Publish a task as the HTTP API does."""
    await world.ledger.queue(replace(TASK, submission=submission), "me")
    await world.publish(submission=submission)


async def test_of_what_is_leased_the_one_that_has_the_gpu_runs() -> None:
    """Seven tasks come to one GPU, and ingest leases six of them."""
    world = World(Tasks(leaseSeconds=3), capacity=6)
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [60.0]
    names = [f"s{n}" for n in range(7)]
    for name in names:
        await submitted(world, name)

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 6)
        await asyncio.sleep(0.05)
        statuses = Counter([(await found(world, name)).status for name in names])
        queued = await world.ledger.waiting("sdruntime", 10)
        pace = (await world.board.paces())["sdruntime"]
        work.cancel()

    assert statuses == {"running": 1, "queued": 6}
    assert len(queued) == 6
    assert (pace.leased, pace.running) == (6, 1)


async def test_a_task_is_told_to_run_when_it_has_the_gpu(world: World) -> None:
    gpu = world.runtime.slots = asyncio.Semaphore(1)
    await gpu.acquire()
    await world.publish()

    async with following(world.board) as events, world.working():
        await world.board.watch("front", ["s1"], [])
        await until(lambda: world.runtime.runs == 1)
        await asyncio.sleep(0.05)
        before = list(events)
        gpu.release()
        updates = await collected(events, 4)

    assert before == []
    assert [each.status if isinstance(each, Report) else each for each in updates[:2]] == [
        Status.RUNNING,
        Stage.RUNNING,
    ]


async def test_the_attempt_is_told_that_the_ledger_has_counted(world: World) -> None:
    """A copy of the message is with another ingest, and lost its replica there."""
    await world.ledger.requeue(await world.ledger.start(TASK, OTHER), OTHER)
    world.runtime.acts = [60.0]
    await world.publish()

    async with following(world.board) as events, world.working() as work:
        await world.board.watch("front", ["s1"], [])
        await until(lambda: attempts(events)[-1:] == [2])
        work.cancel()

    assert attempts(events)[:2] == [1, 2]


def attempts(events: Sequence[Event]) -> list[int]:
    return [event.update.attempt for event in events if isinstance(event.update, Report)]


async def test_tasks_that_a_lost_replica_never_began_have_spent_no_attempt(world: World) -> None:
    """Four tasks are on a replica when its backend dies; the one that ran has spent one."""
    gone = RuntimeUnavailable("the backend died")
    world.runtime.acts = [gone, Unbegun(gone), Unbegun(gone), Unbegun(gone), 60.0]
    names = [f"s{n}" for n in range(4)]
    for name in names:
        await submitted(world, name)

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 8)
        await asyncio.sleep(0.05)
        attempts = [(await found(world, name)).attempt for name in names]
        work.cancel()

    assert attempts == [2, 1, 1, 1]  # they run again now, which is one more


async def test_a_task_that_never_begins_is_never_given_up(world: World) -> None:
    world.runtime.acts = [*[Unbegun(RuntimeUnavailable("node gone"))] * 4, 0.0]
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert (await found(world)).attempt == 1


class Extensions(MemoryQueue):
    """Queue that keeps what its leases were changed to."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[int] = []

    @override
    async def extend(self, delivery: Delivery, seconds: int) -> None:
        self.seconds.append(seconds)


async def test_what_is_handed_back_again_and_again_comes_back_more_slowly() -> None:
    queue = Extensions()
    for attempt in (1, 3, 4, 5, 50):
        delivery = Delivery(id="m", receipt="r", body="", attempt=attempt)
        with pytest.raises(RuntimeUnavailable):
            async with lease(queue, delivery, 30):
                raise RuntimeUnavailable("no replica")

    assert queue.seconds == [0, 0, 1, 2, 30]


async def test_a_store_that_is_away_costs_no_attempt(world: World) -> None:
    world.runtime.acts = [Unavailable("S3 is down"), 0.0]
    await world.publish()

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        await asyncio.sleep(0.05)
        waiting = await found(world)
        await world.notifications(1)

    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 0)
    assert (await found(world)).attempt == 1


async def test_a_drain_costs_no_attempt(world: World) -> None:
    world.runtime.acts = [60.0]
    await world.publish()

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 1)
        await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work])

    waiting = await found(world)
    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 0)
    assert len(await world.queue.receive(10)) == 1


async def test_a_drain_hands_back_at_once_what_waits_for_the_gpu(world: World) -> None:
    """A copy of what waits is handed back, too, and what runs is brought to its end."""
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [0.5]
    for name in ("s1", "s2", "s2"):
        await world.publish(submission=name)

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 2)
        await asyncio.sleep(0.05)
        world.worker.drain()
        await until(work.done)

    assert [json.loads(each.message)["submission"] for each in world.results.published] == ["s1"]
    assert len(await world.queue.receive(10)) == 2
    assert world.runtime.runs == 2
    assert await world.ledger.find("a", "s2") is None


async def test_what_came_by_sns_is_known_while_it_waits_for_a_replica(world: World) -> None:
    world.runtime.slots = asyncio.Semaphore(0)
    world.worker.asleep = True
    await world.publish()

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 1)
        waiting = await found(world)
        work.cancel()

    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 0)


async def test_a_run_that_is_ahead_of_the_ledger_and_waits_is_noted(world: World) -> None:
    world.runtime.slots = asyncio.Semaphore(0)
    await world.publish()

    async with world.working() as work:
        waiting = await noted(world)
        work.cancel()

    assert (waiting.status, waiting.attempt) == (Status.QUEUED, 0)


async def test_what_was_cancelled_in_the_ledger_alone_is_stopped_while_it_waits(
    world: World,
) -> None:
    """The task goes to the replica at once, behind a task that has the GPU."""
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [60.0]
    await submitted(world, "s1")

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 1)
        await submitted(world, "s2")
        await world.ledger.cancel("a", "s2", DEAD)
        (notification,) = await world.notifications(1)
        work.cancel()

    assert (notification["submission"], notification["status"]) == ("s2", "cancelled")
    assert (await found(world, "s2")).attempt == 0


async def test_what_has_ended_wakes_no_runtime(world: World) -> None:
    world.worker.asleep = True
    await world.publish()
    await world.ledger.finish(replace(Report.of(TASK, Status.CANCELLED), notified=True), MINE)

    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert world.runtime.runs == 0


class SlowTopic(MemoryTopic):
    """Topic that is a round trip away."""

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        await asyncio.sleep(0.1)
        await super().publish(message, attributes)


async def test_a_replica_that_never_ends_a_task_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "_BEYOND_SECONDS", -1.0)
    world = World(Tasks(leaseSeconds=3, deadlineSeconds=1))
    world.runtime.acts = [60.0, 0.0]
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)
        report = await world.ledger.find("a")

    assert (notification["status"], world.runtime.runs) == ("completed", 2)
    assert report
    assert report.attempt == 2


@pytest.mark.parametrize("seconds", [0.0, 0.3])
async def test_a_start_is_told_beside_the_run_and_never_after_its_end(seconds: float) -> None:
    world = World(Tasks(leaseSeconds=3, notifyRunning=True))
    world.results = SlowTopic()
    world.worker.notifier = replace(world.notifier, results=world.results)
    world.runtime.acts = [seconds]
    await world.publish()

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        told_before_it_ran = len(world.results.published)
        notifications: Sequence[Mapping[str, object]] = await world.notifications(2)

    assert told_before_it_ran == 0
    assert [each["status"] for each in notifications] == ["running", "completed"]


async def test_a_start_is_told_to_a_callback_though_the_run_was_ahead_of_the_ledger(
    world: World,
) -> None:
    world.runtime.acts = [0.1]
    await world.publish(callback={"url": "https://x.test/", "events": ["running", "completed"]})

    async with world.working():
        await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    calls = [json.loads(published.message)["event"] for published in world.calls.published]
    assert calls == ["running", "completed"]


class CountingLedger(MemoryLedger):
    """Ledger that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    @override
    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        self.calls["queue"] += 1
        return await super().queue(task, key, published=published)

    @override
    async def start(self, task: Task, fence: Fence) -> Report:
        self.calls["start"] += 1
        return await super().start(task, fence)

    @override
    async def find(
        self,
        id: str,
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        self.calls["find"] += 1
        return await super().find(id, submission, key)


async def test_a_task_that_comes_alone_costs_the_fewest_calls_of_the_ledger(world: World) -> None:
    ledger = CountingLedger()
    world.worker.ledger = ledger
    await world.publish()

    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert ledger.calls == {"start": 1}


async def test_a_task_that_waits_shortly_for_another_costs_no_call_more(world: World) -> None:
    ledger = CountingLedger()
    world.worker.ledger = ledger
    world.runtime.slots = asyncio.Semaphore(1)
    world.runtime.acts = [0.1]
    for name in ("s1", "s2"):
        await world.publish(submission=name)

    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert ledger.calls == {"start": 2}


async def test_a_task_that_waits_longer_for_another_is_noted_as_queued(world: World) -> None:
    ledger = CountingLedger()
    world.worker.ledger = ledger
    world.runtime.slots = asyncio.Semaphore(0)
    await world.publish()

    async with world.working():
        await until(lambda: ledger.calls["queue"] == 1)
        waiting = await ledger.find("a", "s1")
        world.runtime.slots.release()
        await until(lambda: world.queue.depth == 0)

    assert waiting is not None
    assert waiting.status is Status.QUEUED
