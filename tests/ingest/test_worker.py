"""Worker: takes a message from its lease to its acknowledgement."""

import asyncio
import json

import pytest

from ingest.memory import MemoryLedger
from models.errors import TaskFailed
from models.fence import Fence
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Task
from models.wire import pointer_to
from tests.fences import DEAD
from tests.ingest.world import OUTPUT, World, message, until


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


async def test_a_task_is_run_notified_and_acknowledged(world: World) -> None:
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert notification == {
        "runtime": "sdruntime",
        "id": "a",
        "status": "completed",
        "result": True,
        "image_url": [f"{OUTPUT}/p/a/a-{_digits('s1')}-1.png"],
        "output_url": f"{OUTPUT}/p/a/a-{_digits('s1')}.out",
        "context": {"order": 42},
        "submission": "s1",
    }


async def test_a_redelivered_task_is_not_run_and_not_notified_again(world: World) -> None:
    await world.publish()
    async with world.working():
        await world.notifications(1)
        await world.publish()
        await until(lambda: world.queue.depth == 0)

    assert world.runtime.runs == 1
    assert len(world.results.published) == 1


async def test_a_finished_task_that_was_not_told_is_notified_by_the_next_delivery(
    world: World,
) -> None:
    task = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image", prefix="p")
    running = await world.ledger.start(task, DEAD)
    await world.ledger.finish(
        running.completed(("s3://outputs/x.png",), "s3://outputs/x.out", {}), DEAD
    )
    await world.publish()
    await world.redeliver()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["image_url"] == ["s3://outputs/x.png"]
    assert notification["context"] == {"order": 42}
    assert world.runtime.runs == 0


async def test_the_same_id_sent_again_is_a_new_submission(world: World) -> None:
    await world.publish(submission="s1")
    await world.publish(submission="s2")

    async with world.working():
        notifications = await world.notifications(2)

    assert world.runtime.runs == 2
    assert len({n["output_url"] for n in notifications}) == 2


async def test_a_start_is_told_to_the_callback_that_asks_for_it(world: World) -> None:
    await world.publish(callback={"url": "https://x.test/", "events": ["running", "failed"]})

    async with world.working():
        await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    (call,) = [json.loads(published.message) for published in world.calls.published]
    assert (call["id"], call["submission"], call["event"]) == ("a", "s1", "running")
    assert call["url"] == "https://x.test/"
    assert call["notification"]["context"] == {"order": 42}


async def test_a_refusal_is_notified_at_once_with_its_reason(world: World) -> None:
    world.runtime.acts = [TaskFailed("no such sampler", reason={"detail": "Sampler not found"})]
    await world.publish()

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "failed"
    assert world.runtime.runs == 1
    out = json.loads(world.objects.bodies[notification["output_url"]])
    assert out["parameters"]["id_task"] == "a"
    assert out["parameters"]["reason"] == {"detail": "Sampler not found"}


async def test_a_kind_the_runtime_cannot_do_is_told_as_failed(world: World) -> None:
    await world.publish(tasktype="image-to-video")

    async with world.working():
        (notification,) = await world.notifications(1)

    out = json.loads(world.objects.bodies[notification["output_url"]])
    assert "image-to-video" in out["parameters"]["error_msg"]
    assert world.runtime.runs == 0


async def test_a_body_that_is_no_task_is_rejected_and_the_next_one_runs(world: World) -> None:
    await world.queue.send("{")
    await world.tasks.publish(json.dumps({"content": {}}), {})
    await world.publish()

    async with world.working():
        await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert len(world.queue.dead_letters) == 2
    assert all(letter.reason for letter in world.queue.dead_letters)


async def test_half_of_a_character_is_refused_by_sns_in_the_words_of_http(world: World) -> None:
    await world.tasks.publish('{"content": {"prompt": "half \\ud83d"}}', {})

    async with world.working():
        await until(lambda: len(world.queue.dead_letters) == 1)

    assert "half of a character (a lone surrogate)" in (world.queue.dead_letters[0].reason or "")
    assert world.runtime.runs == 0


async def test_a_long_task_keeps_its_lease(world: World) -> None:
    world.runtime.acts = [3.6]  # longer than the lease
    await world.publish()

    async with world.working():
        await world.notifications(1)

    assert world.runtime.runs == 1


async def test_no_more_is_leased_than_the_runtime_can_use_soon() -> None:
    world = World(Tasks(leaseSeconds=3), capacity=2)
    world.runtime.acts = [60.0]
    for number in range(5):
        await world.publish(submission=f"s{number}")

    async with world.working() as work:
        await until(lambda: world.runtime.runs == 2)
        await asyncio.sleep(0.1)
        waiting = await world.queue.receive(10)
        work.cancel()

    assert world.runtime.runs == 2
    assert len(waiting) == 3


async def test_a_start_is_told_where_it_is_asked_for() -> None:
    world = World(Tasks(leaseSeconds=3, notifyRunning=True))
    await world.publish()

    async with world.working():
        first, last = await world.notifications(2)

    assert first["status"] == "running"
    assert "result" not in first
    assert last["status"] == "completed"


class SlowLedger(MemoryLedger):
    """Ledger that is a round trip away."""

    async def start(self, task: Task, fence: Fence) -> Report:
        await asyncio.sleep(0.1)
        return await super().start(task, fence)


async def test_an_idle_runtime_starts_while_the_ledger_is_asked(world: World) -> None:
    world.worker.ledger = SlowLedger()
    await world.publish()

    async with world.working():
        async with asyncio.timeout(0.09):
            await until(lambda: world.runtime.runs == 1)
        (notification,) = await world.notifications(1)

    assert notification["status"] == "completed"


async def test_a_head_start_that_was_not_due_is_stopped(world: World) -> None:
    """Messages of a submission that was published twice are both first deliveries."""
    ledger = SlowLedger()
    world.worker.ledger = ledger
    await world.publish()
    async with world.working():
        await world.notifications(1)
        await until(lambda: world.queue.depth == 0)
        world.runtime.acts = [60.0]
        await world.publish()
        await until(lambda: world.queue.depth == 0)

    assert len(world.results.published) == 1
    found = await ledger.find("a")
    assert found is not None
    assert found.attempt == 1


async def test_a_payload_that_travelled_by_reference_is_fetched(world: World) -> None:
    uri = f"{OUTPUT}/payloads/s1.json"
    await world.objects.put(uri, json.dumps(message(id="big")).encode(), "application/json")
    await world.tasks.publish(json.dumps(pointer_to(uri)), {"submission": "s1"})

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["id"] == "big"


async def test_a_pointer_to_elsewhere_is_not_followed(world: World) -> None:
    await world.tasks.publish(json.dumps(pointer_to("s3://secrets/payloads/s1.json")), {})

    async with world.working():
        await until(lambda: bool(world.queue.dead_letters))

    assert "not under" in world.queue.dead_letters[0].reason


async def test_raw_delivery_takes_the_same_line(world: World) -> None:
    await world.queue.send(json.dumps(message()), {"submission": "raw1"})

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["submission"] == "raw1"


async def test_without_a_submission_the_message_id_stands_for_it(world: World) -> None:
    await world.tasks.publish(json.dumps(message()), {})

    async with world.working():
        (notification,) = await world.notifications(1)

    sent = world.runtime.started[0].submission
    assert notification["submission"] == sent
    assert len(sent) == 36


def test_an_ended_report_stays_ended() -> None:
    task = Task(submission="s", id="a", runtime="r", kind="text-to-image")
    report = Report.of(task, Status.RUNNING, 1)

    assert not report.ended
    assert report.failed(TaskFailed("x")).ended


def _digits(submission: str) -> str:
    task = Task(submission=submission, id="a", runtime="r", kind="k")
    return task.stem.rpartition("-")[2]


@pytest.mark.parametrize("payload", [None, b"x" * (2**20 + 1)])
async def test_a_payload_that_is_missing_or_too_large_is_rejected(
    world: World, payload: bytes | None
) -> None:
    uri = f"{OUTPUT}/payloads/s1.json"
    if payload is not None:
        await world.objects.put(uri, payload, "application/json")
    await world.tasks.publish(json.dumps(pointer_to(uri)), {})

    async with world.working():
        await until(lambda: bool(world.queue.dead_letters))

    assert "payloads/s1.json" in world.queue.dead_letters[0].reason
