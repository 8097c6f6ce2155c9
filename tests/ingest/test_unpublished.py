"""Submissions whose message never came: withdrawn once their queue was empty for long."""

from dataclasses import replace

import pytest

from ingest.memory import MemoryLedger, MemoryQueue
from ingest.unpublished import Unpublished
from models.task import Task
from tests.clock import Clock
from tests.fences import MINE

TASK = Task(submission="s1", id="a", runtime="painter", kind="text-to-image")


class World:
    def __init__(self) -> None:
        self.clock = Clock(1_800_000_000.0)
        self.ledger = MemoryLedger(self.clock)
        self.queue = MemoryQueue(clock=self.clock)
        self.unpublished = Unpublished(
            queues={"painter": self.queue}, ledger=self.ledger, clock=self.clock
        )

    async def minutes(self, count: int) -> None:
        for _ in range(count):
            await self.unpublished.look("painter")
            self.clock.now += 60

    async def known(self) -> set[str]:
        found = [await self.ledger.find("a", f"s{n}") for n in range(1, 5)]
        return {report.submission for report in found if report}


@pytest.fixture
def world() -> World:
    return World()


async def test_what_is_in_no_queue_is_withdrawn(world: World) -> None:
    for n in range(1, 4):
        await world.ledger.queue(replace(TASK, submission=f"s{n}"))
    await world.ledger.start(replace(TASK, submission="s2"), MINE)
    await world.ledger.requeue(await world.ledger.start(replace(TASK, submission="s3"), MINE), MINE)
    world.clock.now += 120
    await world.minutes(3)
    early = await world.known()
    await world.minutes(1)

    assert early == {"s1", "s2", "s3"}
    assert await world.known() == {"s2", "s3"}  # one runs, one began and is a dead letter


@pytest.mark.parametrize("hidden", [False, True])
async def test_nothing_is_withdrawn_while_the_queue_has_messages(
    world: World, *, hidden: bool
) -> None:
    await world.ledger.queue(TASK)
    await world.minutes(3)
    await world.queue.send("{}")
    if hidden:
        (delivery,) = await world.queue.receive(1)
        await world.queue.extend(delivery, 40_000)
    await world.minutes(5)
    while_there = await world.known()
    (delivery,) = await world.queue.receive(1) if not hidden else [delivery]
    await world.queue.ack(delivery)
    await world.minutes(3)
    short_after = await world.known()

    assert (while_there, short_after) == ({"s1"}, {"s1"})


async def test_what_is_being_published_stays(world: World) -> None:
    await world.minutes(4)
    await world.ledger.queue(TASK)
    await world.minutes(5)

    assert await world.known() == {"s1"}
