"""Worker in trouble: parts break or are away, it ends, and no task is lost or notified twice."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from ingest.lease import lease
from ingest.memory import MemoryLedger, MemoryQueue, MemoryTopic
from models.errors import PlaceGone, PublicationRefused, RuntimeUnavailable, Unavailable
from models.fence import Fence
from models.ports import Delivery
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Task
from tests.fences import DEAD, FAR, OTHER, fence
from tests.ingest.test_board import collected, following
from tests.ingest.world import Mute, World, message, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")


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

    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        self.check()
        return await super().queue(task, key, published=published)

    async def start(self, task: Task, fence: Fence) -> Report:
        self.check()
        return await super().start(task, fence)

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


async def test_what_runs_while_the_ledger_is_down_is_told_once_it_is_back(world: World) -> None:
    ledger = AwayLedger()
    world.worker.ledger = ledger
    await world.publish(submission="s1")

    async with world.working():
        await until(lambda: world.worker.outages > 0)
        await world.publish(submission="s2")  # no run is ahead of the ledger again
        await asyncio.sleep(0.4)
        runs = world.runtime.runs
        ledger.away = False
        notifications = await world.notifications(2)
    reports = [await ledger.find("a", name) for name in ("s1", "s2")]

    assert (runs, world.runtime.runs, world.runtime.stopped) == (1, 2, 0)
    assert {one["submission"] for one in notifications} == {"s1", "s2"}
    assert [report and report.attempt for report in reports] == [1, 1]


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
    world.worker.notifier = replace(world.notifier, results=world.results)


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


async def test_what_runs_elsewhere_is_left_to_that(world: World) -> None:
    """A copy of the message is with another ingest, and this run was ahead of the ledger."""
    running = await world.ledger.start(TASK, OTHER)
    world.runtime.acts = [60.0]
    await world.publish(submission="s1")

    async with world.working():
        await until(lambda: world.runtime.stopped == 1)
        ended = await world.ledger.finish(running.completed((), "s3://o/x.out", {}), OTHER)
        await world.ledger.mark_notified(ended)
        await until(lambda: world.queue.depth == 0)

    assert (world.runtime.runs, world.results.published) == (1, [])
    assert await world.ledger.find("a") == replace(ended, notified=True)


async def test_what_a_dead_one_had_is_taken_over_as_the_same_attempt(world: World) -> None:
    await world.ledger.start(TASK, DEAD)
    await world.publish(submission="s1")
    await world.redeliver()

    async with world.working():
        (notification,) = await world.notifications(1)
    report = await world.ledger.find("a")

    assert notification["status"] == "completed"
    assert report is not None
    assert report.attempt == 1


async def test_a_run_that_lost_its_lease_to_another_tells_nothing(world: World) -> None:
    """A process may stand still for longer than its lease."""
    world.runtime.acts = [60.0]
    await world.publish(submission="s1")

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        async with asyncio.timeout(5):
            while not (running := await world.ledger.find("a")) or not running.fence:
                await asyncio.sleep(0.01)
        world.ledger.clock = lambda: FAR
        later = fence("another's", FAR + 1e9)
        taken = await world.ledger.start(TASK, later)
        await until(lambda: world.runtime.stopped == 1)
        await world.ledger.mark_notified(await world.ledger.finish(taken.cancelled(), later))
        await until(lambda: world.queue.depth == 0)

    assert (world.runtime.runs, world.results.published) == (1, [])


class LostAnswers(MemoryLedger):
    """Ledger whose every write is made twice, since its first answer is lost."""

    @override
    async def start(self, task: Task, fence: Fence) -> Report:
        await super().start(task, fence)
        return await super().start(task, fence)

    @override
    async def finish(self, report: Report, fence: Fence) -> Report:
        await super().finish(report, fence)
        return await super().finish(report, fence)

    @override
    async def requeue(self, report: Report, fence: Fence, *, counts: bool = True) -> None:
        await super().requeue(report, fence, counts=counts)
        await super().requeue(report, fence, counts=counts)


async def test_answers_that_are_lost_count_no_attempt(world: World) -> None:
    world.worker.ledger = ledger = LostAnswers()
    world.runtime.acts = [RuntimeUnavailable("gone"), PlaceGone("drained"), 0.0]
    await world.publish(submission="s1")

    async with world.working():
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)
    report = await ledger.find("a")

    assert notification["status"] == "completed"
    assert report is not None
    assert (report.attempt, len(world.results.published)) == (2, 1)  # the drain was none


async def test_a_task_that_lost_its_runtime_every_time_is_not_started_again(world: World) -> None:
    await world.publish()
    await world.redeliver(3)
    for n in range(3):  # its replica was lost with it three times
        await world.ledger.requeue(await world.ledger.start(TASK, fence(f"{n}")), fence(f"{n}"))

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


class Refusing(MemoryTopic):
    """Topic that nobody may publish on, until its policy is mended."""

    refuses = True

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if self.refuses:
            raise PublicationRefused("SNS Publish: AuthorizationError")
        await super().publish(message, attributes)


async def test_a_task_whose_notification_is_refused_is_a_dead_letter_and_stops_nobody(
    world: World,
) -> None:
    topic = world.results = Refusing()
    world.worker.notifier = replace(world.notifier, results=topic)
    await world.publish(submission="s1")
    await world.publish(submission="s2", id="b")

    async with world.working():
        await until(lambda: len(world.queue.dead_letters) == 2, seconds=2)
        outages = world.worker.outages
        topic.refuses = False
        letter = world.queue.dead_letters[0]
        await world.queue.send(letter.body, letter.attributes)
        (notification,) = await world.notifications(1)

    assert outages == 0
    assert letter.reason == (
        "completed, but its notification was refused: SNS Publish: AuthorizationError"
    )
    assert notification["status"] == "completed"
    assert world.runtime.runs == 2


async def test_a_callback_whose_request_is_refused_holds_up_no_task(world: World) -> None:
    world.worker.notifier = replace(world.notifier, callbacks=Refusing())
    await world.publish(callback={"url": "https://x.test/", "events": ["completed"]})

    async with world.working():
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert (notification["status"], world.queue.dead_letters) == ("completed", [])


class Faulty(MemoryQueue):
    """Queue whose first polls meet a fault that nobody foresaw."""

    fails = 2

    async def receive(self, most: int) -> Sequence[Delivery]:
        if self.fails:
            self.fails -= 1
            raise KeyError("MessageId")
        return await super().receive(most)


async def test_the_worker_outlives_whatever_a_poll_meets(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    queue = Faulty()
    world.tasks.subscribe(queue)
    world.worker.queue = queue
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"
    assert world.worker.outages == 2
    assert [r.message for r in caplog.records].count("poll_broke") == 2


async def test_subscribers_are_notified_once_though_the_calls_queue_is_away(world: World) -> None:
    world.calls = Deaf()
    world.worker.notifier = replace(world.notifier, callbacks=world.calls)
    await world.publish(callback={"url": "https://x.test/", "events": ["completed"]})

    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert (len(world.results.published), len(world.calls.published)) == (1, 1)


async def test_the_last_attempt_of_a_dead_ingest_goes_on(world: World) -> None:
    world.worker.rules = Tasks(leaseSeconds=3, maxAttempts=1)
    await world.ledger.start(TASK, DEAD)
    await world.publish(submission="s1")
    await world.redeliver()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"


async def test_a_fence_goes_on_while_the_queue_is_away() -> None:
    delivery = Delivery(id="m", receipt="r", body="")
    async with lease(Unreachable(), delivery, 3) as held:
        first = held.fence.until
        await until(lambda: held.fence.until > first)


async def test_who_could_not_tell_for_long_leaves_it_to_the_one_who_tells(world: World) -> None:
    topic = world.results = Deaf()
    world.worker.notifier = replace(world.notifier, results=topic)
    await world.publish(submission="s1")

    async with world.working():
        await until(lambda: not topic.fails)
        world.ledger.clock = lambda: FAR
        report = await world.ledger.find("a")
        assert report
        await world.ledger.tell(report, fence("another's", FAR + 1e9))
        await asyncio.sleep(0.5)
        await world.ledger.mark_notified(report)
        await until(lambda: world.queue.depth == 0)

    assert topic.published == []
