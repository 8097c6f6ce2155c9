import asyncio

import pytest

from ingest.actor import Actor
from ingest.memory import MemoryQueue
from models.parts import Tasks
from tests.ingest.world import World, until


class Broken(MemoryQueue):
    async def receive(self, most: int) -> list[object]:  # type: ignore[override] # it only raises
        raise ValueError("a bug in the loop")


async def test_a_dead_worker_makes_the_actor_unhealthy() -> None:
    world = World(Tasks())
    world.worker.queue = Broken()
    actor = Actor({"sdruntime": world.worker})
    actor.check_health()
    await asyncio.sleep(0.05)

    with pytest.raises(RuntimeError, match="the worker of sdruntime ended"):
        actor.check_health()


async def test_a_drained_actor_brought_what_it_held_to_its_end() -> None:
    world = World(Tasks())
    world.runtime.acts = [0.2]
    actor = Actor({"sdruntime": world.worker})
    await world.publish()
    await until(lambda: world.runtime.runs == 1)

    await actor.drain(5)

    actor.check_health()
    assert world.queue.depth == 0
    assert len(world.results.published) == 1


async def test_a_drain_that_takes_too_long_hands_back() -> None:
    world = World(Tasks())
    world.runtime.acts = [60.0]
    actor = Actor({"sdruntime": world.worker})
    await world.publish()
    await until(lambda: world.runtime.runs == 1)

    await actor.drain(0.1)

    assert len(await world.queue.receive(1)) == 1
