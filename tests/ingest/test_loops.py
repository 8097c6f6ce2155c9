import asyncio

import pytest

from ingest.loops import Loops
from models.settings.groups import Tasks
from tests.ingest.world import World, until


class Broken:
    async def work(self) -> None:
        raise ValueError("a bug in the loop")

    def drain(self) -> None:
        """Do nothing: it has ended."""


async def test_a_dead_worker_makes_the_loops_unhealthy() -> None:
    loops = Loops({"sdruntime": Broken()})
    loops.check_health()
    await asyncio.sleep(0.05)

    with pytest.raises(RuntimeError, match="the worker of sdruntime ended"):
        loops.check_health()


async def test_a_drain_brings_what_is_held_to_its_end() -> None:
    world = World(Tasks())
    world.runtime.acts = [0.2]
    loops = Loops({"sdruntime": world.worker})
    await world.publish()
    await until(lambda: world.runtime.runs == 1)

    await loops.drain(5)

    loops.check_health()
    assert world.queue.depth == 0
    assert len(world.results.published) == 1


async def test_a_drain_that_takes_too_long_hands_back() -> None:
    world = World(Tasks())
    world.runtime.acts = [60.0]
    loops = Loops({"sdruntime": world.worker})
    await world.publish()
    await until(lambda: world.runtime.runs == 1)

    await loops.drain(0.1)

    assert len(await world.queue.receive(1)) == 1


async def test_a_drain_waits_for_what_runs_as_long_as_there_is_time() -> None:
    world = World(Tasks())
    world.runtime.acts = [60.0]
    loops = Loops({"sdruntime": world.worker})
    await world.publish()
    await until(lambda: world.runtime.runs == 1)
    time_left = [True, True, False]

    async def has_time() -> bool:
        found = time_left.pop(0)
        assert world.queue.depth == 1
        assert not await world.queue.receive(1)
        return found

    await loops.drain(0.1, has_time)

    assert time_left == []
    assert len(await world.queue.receive(1)) == 1
