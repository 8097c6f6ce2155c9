"""Work that nobody wants any more ends within a step, and the loop is never held up."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn.modules.module import register_module_forward_pre_hook
from transformers import CLIPTextModel

from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.rrdb import Rrdb
from deployments.runtimes.diffusers.worker_thread import WorkerThread
from models.errors import TaskFailed
from models.report import Progress
from models.task import Kind
from tests.runtimes.diffusers.conftest import encoded, noise, run, task

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
    worker = WorkerThread("test")

    assert [step async for step in worker.iterate(Work(3).begin)] == [0, 1, 2]
    await worker.close()


async def test_a_failure_comes_through_after_what_was_done() -> None:
    worker = WorkerThread("test")
    seen: list[int] = []

    async def watch() -> None:
        async for step in worker.iterate(Work(2, TaskFailed("no")).begin):
            seen.append(step)  # noqa: PERF401  # what was seen before the failure

    with pytest.raises(TaskFailed, match="no"):
        await watch()

    assert seen == [0, 1]
    await worker.close()


async def test_leaving_ends_the_work_and_waits_for_it() -> None:
    worker, work = WorkerThread("test"), Work()
    steps = worker.iterate(work.begin)
    await anext(steps)
    await steps.aclose()

    assert work.closed.is_set()
    assert work.done < 100
    await worker.close()


async def test_cancelling_ends_the_work_and_waits_for_it() -> None:
    worker, work = WorkerThread("test"), Work()

    watching = asyncio.create_task(_drained(worker.iterate(work.begin)))
    await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.wait([watching])

    assert watching.cancelled()
    assert work.closed.is_set()
    await worker.close()


async def test_a_call_that_runs_out_of_items_fails_and_does_not_wait_for_ever() -> None:
    worker = WorkerThread("test")
    with pytest.raises(RuntimeError, match="an iteration was empty"):
        await asyncio.wait_for(worker.call(lambda: next(iter(()))), 5)

    await worker.close()


async def test_a_cancelled_call_waits_for_its_end() -> None:
    worker, ended = WorkerThread("test"), threading.Event()

    def work() -> None:
        time.sleep(0.1)
        ended.set()

    calling = asyncio.create_task(worker.call(work))
    await asyncio.sleep(0.02)
    calling.cancel()
    await asyncio.wait([calling])

    assert calling.cancelled()
    assert ended.is_set()
    await worker.close()


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


class Turnstile:
    """Holds a network at each of its calls until it is let through."""

    def __init__(self) -> None:
        self.held: tuple[type[torch.nn.Module], ...] = (UNet2DConditionModel, Rrdb)
        self.calls = 0
        self._turns = threading.Semaphore(0)

    def let(self, calls: int) -> None:
        self._turns.release(calls)

    def hold(self, module: torch.nn.Module, _: object) -> None:
        if isinstance(module, self.held):
            self.calls += 1
            self._turns.acquire()


@pytest.fixture
def turnstile() -> Iterator[Turnstile]:
    made = Turnstile()
    hook = register_module_forward_pre_hook(made.hold)
    yield made
    hook.remove()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (Kind.TEXT_TO_IMAGE, LONG),
        (Kind.IMAGE_TO_IMAGE, LONG | {"init_images": [encoded(noise(64, 64))]}),
        (Kind.EXTRA_SINGLE_IMAGE, {"image": encoded(noise(128, 128)), "upscaler_1": "4x-Random"}),
    ],
)
async def test_a_task_that_is_left_ends_with_the_step_under_way(
    adapter: DiffusersAdapter, turnstile: Turnstile, kind: Kind, content: dict[str, Any]
) -> None:
    one = task(kind, **content)
    await adapter.load(one)
    turnstile.let(1)
    async with aclosing(adapter.run(one, {})) as steps:
        assert isinstance(await anext(steps), Progress)
        while turnstile.calls < 2:
            await asyncio.sleep(0.001)
        asyncio.get_running_loop().call_soon(turnstile.let, 1000)  # when all that is left waits

    assert turnstile.calls == 2


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
async def test_a_task_that_is_left_ends_with_the_chunk_under_way(
    adapter: DiffusersAdapter, turnstile: Turnstile, field: str
) -> None:
    one = task(**LONG, **{field: "a BREAK " * 20})
    await adapter.load(one)
    turnstile.held = (CLIPTextModel,)
    turnstile.let(1)
    async with aclosing(adapter.run(one, {})) as steps:
        assert isinstance(await anext(steps), Progress)
        while turnstile.calls < 2:
            await asyncio.sleep(0.001)
        asyncio.get_running_loop().call_soon(turnstile.let, 1000)  # when all that is left waits

    assert turnstile.calls == 2


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
