"""Tasks that wait for too long, or are not ready at their deadline, fail as expired."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from ingest.time_limits import TimeLimits
from models.errors import RuntimeUnavailable, TaskExpired
from models.report import Report, Status
from models.settings.groups import Tasks
from models.task import Task
from tests.clock import Clock
from tests.ingest.world import World, until

TASK = Task(submission="s1", id="a", runtime="sdruntime", kind="text-to-image")


@pytest.fixture
def world() -> World:
    return World(Tasks(leaseSeconds=3))


async def ended(world: World) -> Report:
    """Work until the task has ended and its delivery is acknowledged."""
    async with world.working():
        await until(lambda: world.queue.depth == 0)
    report = await world.ledger.find("a", "s1")
    assert report
    return report


def expired(report: Report) -> str:
    """Return why a task expired; check that it did."""
    assert (report.status, report.notified) == (Status.FAILED, True)
    assert report.failure
    assert report.failure.kind == "TaskExpired"
    return report.failure.message


async def test_one_that_waits_for_a_replica_expires_there(world: World) -> None:
    world.runtime.slots = asyncio.Semaphore(0)
    await world.publish(ttl=0.3)
    report = await ended(world)

    assert expired(report) == "expired: it waited for longer than its ttl, 0.3 s"
    assert report.attempt == 0
    (told,) = await world.notifications(1)
    assert (told["status"], told["result"], told["image_url"]) == ("failed", False, [])
    assert report.output
    assert b"TaskExpired" in world.objects.bodies[report.output]


@pytest.mark.parametrize("limit", [{"ttl": 50}, {"deadline": time.time() + 50}])
async def test_one_that_expired_in_the_queue_comes_to_no_replica(
    world: World, limit: dict[str, Any]
) -> None:
    world.worker = replace(world.worker, clock=lambda: time.time() + 100)
    await world.publish(**limit)
    report = await ended(world)

    assert expired(report)
    assert report.attempt == 0
    assert world.runtime.runs == 0


async def test_one_that_runs_is_stopped_at_its_deadline(world: World) -> None:
    world.runtime.acts = [60.0]
    await world.publish(deadline=time.time() + 0.5)
    report = await ended(world)

    assert expired(report).startswith("expired: it was not ready at its deadline, 20")
    assert (report.attempt, world.runtime.stopped) == (1, 1)
    assert len(world.results.published) == 1


async def test_one_that_has_begun_is_not_ended_by_its_ttl(world: World) -> None:
    world.runtime.acts = [0.6]
    await world.publish(ttl=0.3)

    assert (await ended(world)).status is Status.COMPLETED


async def test_one_that_lost_its_replica_is_tried_again_after_its_ttl(world: World) -> None:
    world.runtime.acts = [RuntimeUnavailable("gone"), 0.0]
    runtime = world.runtime
    later = replace(world.worker, clock=lambda: time.time() + (100 if runtime.runs else 0))
    world.worker = later
    await world.publish(ttl=50)
    report = await ended(world)

    assert (report.status, report.attempt) == (Status.COMPLETED, 2)


async def test_a_task_that_is_in_time_is_told_with_its_limits(world: World) -> None:
    deadline = time.time() + 60
    await world.publish(ttl=60, deadline=deadline)
    report = await ended(world)

    assert report.status is Status.COMPLETED
    assert (report.ttl, report.deadline) == (60, deadline)


@pytest.mark.parametrize(
    ("ttl", "deadline", "now", "begun", "over"),
    [
        (10.0, None, 1009.9, False, False),
        (10.0, None, 1010.0, False, True),
        (10.0, None, 5000.0, True, False),
        (None, 2000.0, 1999.9, True, False),
        (None, 2000.0, 2000.0, True, True),
        (None, 2000.0, 2000.0, False, True),
        (5000.0, 2000.0, 2000.0, False, True),
        (None, None, 9e9, False, False),
    ],
)
def test_limits_are_told_from_the_time_of_sending(
    ttl: float | None, deadline: float | None, now: float, begun: bool, over: bool
) -> None:
    task = replace(TASK, ttl=ttl, deadline=deadline)
    limits = TimeLimits(task=task, sent=1000.0, clock=Clock(now))
    if over:
        with pytest.raises(TaskExpired):
            limits.check(begun=begun)
    else:
        limits.check(begun=begun)


async def test_without_limits_nothing_is_waited_for() -> None:
    limits = TimeLimits(task=replace(TASK, ttl=5), sent=1000.0, clock=Clock(1001))

    assert await limits.wait(lambda: True) is None
