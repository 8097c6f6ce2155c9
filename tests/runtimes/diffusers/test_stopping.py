"""Work that nobody wants any more ends within a step, and the loop is never held up."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest

from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.lane import Lane
from models.errors import TaskFailed
from tests.runtimes.diffusers.conftest import run, task

LONG: dict[str, Any] = {"steps": 150, "width": 64, "height": 64}


class Work:
    """Steps that take their time, and know when they were left."""

    def __init__(self, steps: int = 1000, failure: Exception | None = None) -> None:
        self.steps, self.failure = steps, failure
        self.done = 0
        self.closed = threading.Event()

    def begin(self) -> Generator[int]:
        try:
            for step in range(self.steps):
                time.sleep(0.005)
                self.done = step
                yield step
            if self.failure:
                raise self.failure
        finally:
            self.closed.set()


async def test_each_item_comes_in_order() -> None:
    lane = Lane("test")

    assert [step async for step in lane.walk(Work(3).begin)] == [0, 1, 2]
    await lane.close()


async def test_a_failure_comes_through_after_what_was_done() -> None:
    lane = Lane("test")
    seen: list[int] = []

    async def watch() -> None:
        async for step in lane.walk(Work(2, TaskFailed("no")).begin):
            seen.append(step)  # noqa: PERF401  # what was seen before the failure

    with pytest.raises(TaskFailed, match="no"):
        await watch()

    assert seen == [0, 1]
    await lane.close()


async def test_leaving_ends_the_work_and_waits_for_it() -> None:
    lane, work = Lane("test"), Work()
    steps = lane.walk(work.begin)
    await anext(steps)
    await steps.aclose()

    assert work.closed.is_set()
    assert work.done < 100
    await lane.close()


async def test_cancelling_ends_the_work_and_waits_for_it() -> None:
    lane, work = Lane("test"), Work()

    watching = asyncio.create_task(_drained(lane.walk(work.begin)))
    await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.wait([watching])

    assert watching.cancelled()
    assert work.closed.is_set()
    await lane.close()


async def test_a_cancelled_call_waits_for_its_end() -> None:
    lane, ended = Lane("test"), threading.Event()

    def work() -> None:
        time.sleep(0.1)
        ended.set()

    calling = asyncio.create_task(lane.call(work))
    await asyncio.sleep(0.02)
    calling.cancel()
    await asyncio.wait([calling])

    assert calling.cancelled()
    assert ended.is_set()
    await lane.close()


async def test_an_interrupt_ends_a_picture_within_a_step(adapter: DiffusersAdapter) -> None:
    one = task(**LONG)
    await adapter.load(one)
    steps = adapter.run(one, {})
    await anext(steps)
    began = time.monotonic()
    await adapter.interrupt()
    with pytest.raises(TaskFailed, match="interrupted"):
        await _drained(steps)

    assert time.monotonic() - began < 2
    assert (await run(adapter, task())).artifacts


async def test_the_loop_runs_on_while_a_picture_is_painted(adapter: DiffusersAdapter) -> None:
    longest, last = 0.0, time.monotonic()
    painting = asyncio.create_task(run(adapter, task(steps=20)))
    while not painting.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()

    assert (await painting).artifacts
    assert longest < 1


async def _drained(steps: AsyncIterator[object]) -> None:
    async for _ in steps:
        pass
