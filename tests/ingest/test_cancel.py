"""Cancel: a task ends as cancelled wherever it is, and one notification says so."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from ingest.board import Board
from ingest.cancel import Cancel
from ingest.memory import MemoryTopic
from models.errors import RuntimeUnavailable, Unavailable
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Callback, Task
from tests.fences import MINE
from tests.ingest.world import World, boards_of, until

TASK = Task(
    submission="s1",
    id="a",
    runtime="sdruntime",
    kind="text-to-image",
    prefix="p",
    context={"order": 42},
)


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


def notifications(world: World) -> list[Mapping[str, Any]]:
    return [json.loads(published.message) for published in world.results.published]


async def test_a_running_task_is_stopped_and_notified(world: World) -> None:
    world.runtime.acts = [60.0]
    await world.publish()

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        standing = await world.cancel("a", "s1")
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert standing
    assert standing.status is Status.CANCELLED
    assert notification == {
        "runtime": "sdruntime",
        "id": "a",
        "status": "cancelled",
        "result": False,
        "image_url": [],
        "output_url": None,
        "context": {"order": 42},
        "submission": "s1",
    }
    assert world.runtime.stopped == 1


async def test_a_queued_task_never_starts_and_is_notified_at_once(world: World) -> None:
    await world.ledger.queue(TASK)
    await world.publish()

    await world.cancel("a", "s1")
    (notification,) = notifications(world)
    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert (notification["status"], notification["result"], notification["context"]) == (
        "cancelled",
        False,
        {"order": 42},
    )
    assert world.runtime.runs == 0
    assert len(notifications(world)) == 1


async def test_a_task_that_came_by_sns_and_waits_can_be_cancelled(world: World) -> None:
    await world.publish(callback="https://x.test/told")
    await world.cancel("a", "s1")

    async with world.working():
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    (call,) = [json.loads(published.message) for published in world.calls.published]
    assert (call["event"], call["url"]) == ("cancelled", "https://x.test/told")
    assert (notification["status"], notification["runtime"]) == ("cancelled", "sdruntime")
    assert notification["context"] == {"order": 42}
    assert world.runtime.runs == 0


async def test_cancelling_again_changes_nothing(world: World) -> None:
    await world.ledger.queue(TASK)
    first = await world.cancel("a", "s1")
    again = await world.cancel("a", "s1")

    assert first
    assert again == replace(first, notified=True)
    assert len(notifications(world)) == 1


async def test_what_has_ended_stays_as_it_ended(world: World) -> None:
    await world.publish()
    async with world.working():
        await world.notifications(1)
    standing = await world.cancel("a", "s1")

    assert standing
    assert standing.status is Status.COMPLETED
    assert [notification["status"] for notification in notifications(world)] == ["completed"]


async def test_a_report_that_comes_after_the_cancel_does_not_stand(world: World) -> None:
    running = await world.ledger.start(TASK, MINE)
    await world.cancel("a", "s1")
    late = await world.ledger.finish(running.completed((), "s3://outputs/a.out", {}), MINE)

    assert late.status is Status.CANCELLED


async def test_a_cancelled_task_is_not_started_by_a_delivery_that_is_on_its_way(
    world: World,
) -> None:
    """Tasks can be cancelled in the moment between receipt and start."""
    world.runtime.acts = [RuntimeUnavailable("node gone"), 60.0]
    await world.publish()
    async with world.working():
        await until(lambda: world.runtime.runs >= 1)
        await world.cancel("a", "s1")
        (notification,) = await world.notifications(1)
        await until(lambda: world.queue.depth == 0)

    assert notification["status"] == "cancelled"
    assert len(notifications(world)) == 1


class AwayBoard(Board):
    """Board that cannot be asked."""

    @override
    async def stop(self, report: Report) -> None:
        raise Unavailable("ingest is away")


async def test_a_worker_that_was_not_asked_to_stop_finds_out_in_the_ledger(world: World) -> None:
    cancel = Cancel(
        ledger=world.ledger,
        notifier=world.notifier,
        boards=boards_of(AwayBoard()),
    )
    world.runtime.acts = [60.0]
    await world.publish()

    async with world.working():
        await until(lambda: world.runtime.runs == 1)
        await cancel("a", "s1")
        (notification,) = await world.notifications(1)

    assert notification["status"] == "cancelled"
    assert world.runtime.stopped == 1
    assert len(notifications(world)) == 1


async def test_a_cancel_that_could_not_be_told_is_notified_by_the_delivery(world: World) -> None:

    class Closed(MemoryTopic):
        @override
        async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
            raise Unavailable("the topic is down")

    notifier = replace(world.notifier, results=Closed())
    cancel = Cancel(ledger=world.ledger, notifier=notifier, boards=boards_of(world.board))
    await world.ledger.queue(TASK)
    await world.publish()
    await cancel("a", "s1")

    async with world.working():
        (notification,) = await world.notifications(1)

    assert notification["status"] == "cancelled"


async def test_while_who_cancelled_notifies_a_delivery_waits(world: World) -> None:
    """Worker and canceller would both notify; so the delivery comes back, and finds it done."""
    await world.ledger.queue(TASK)
    await world.publish()
    cancelled = await world.ledger.cancel("a", "s1", MINE)
    assert cancelled
    await world.board.stop(cancelled)

    async with world.working():
        await asyncio.sleep(0.3)

    assert world.results.published == []
    assert world.queue.depth == 1


async def test_a_delivery_of_what_was_told_meanwhile_is_acknowledged(world: World) -> None:
    """The one that cancelled it told it a moment ago, and said so in the ledger."""
    await world.ledger.queue(TASK)
    await world.publish()
    await world.cancel("a", "s1")
    async with world.working():
        await until(lambda: world.queue.depth == 0)

    assert len(notifications(world)) == 1


class SlowTopic(MemoryTopic):
    """Topic that takes a while."""

    @override
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        await asyncio.sleep(0.2)
        await super().publish(message, attributes)


@pytest.mark.parametrize("runs", [False, True])
async def test_an_ingest_that_a_cancel_did_not_find_does_not_tell_it_again(
    world: World, *, runs: bool
) -> None:
    """An ingest begins or drains just then; another one was asked, and does not hold the task.

    Who has begun a task tells its end, else who cancels it.
    """
    results = SlowTopic()
    cancel = Cancel(
        ledger=world.ledger,
        notifier=replace(world.notifier, results=results),
        boards=boards_of(Board()),
    )
    world.runtime.acts = [60.0]
    await world.ledger.queue(TASK)
    await world.publish()
    async with world.working():
        if runs:
            await until(lambda: world.runtime.runs == 1)
            await asyncio.sleep(0.9)  # just before the look at a third of the lease
        await cancel("a", "s1")
        await until(lambda: world.queue.depth == 0)

    told = [len(results.published), len(notifications(world))]
    assert told == ([0, 1] if runs else [1, 0])


async def test_a_cancel_whose_callback_cannot_be_asked_for_is_told_once(world: World) -> None:
    class Closed(MemoryTopic):
        @override
        async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
            raise Unavailable("the calls' queue is down")

    callback = Callback(url="https://x.test/told", events=("cancelled",))
    notifier = replace(world.notifier, callbacks=Closed())
    cancel = Cancel(
        ledger=world.ledger,
        notifier=notifier,
        boards=boards_of(world.board),
    )
    await world.ledger.queue(replace(TASK, callback=callback))
    await cancel("a", "s1")

    assert notifications(world) == []  # its delivery tells it
