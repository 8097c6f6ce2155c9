"""A run that nobody wants stops its own prompt, and no other."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from deployments.runtimes.comfyui import ComfyUiAdapter
from models.errors import RuntimeUnavailable
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.state import Faults
from tests.runtimes.comfyui.world import blurred, connected, driving, picture, task
from tests.runtimes.world import run
from tests.serving import served


async def begun(adapter: ComfyUiAdapter, comfyui: ComfyUi) -> asyncio.Task[Any]:
    """Start a long run, and wait until its prompt is at work."""
    running = asyncio.create_task(run(adapter, task(blurred(100))))
    while len(comfyui.ran) < 2:
        await asyncio.sleep(0.01)
    return running


async def cancelled(running: asyncio.Task[Any]) -> None:
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_a_cancelled_run_interrupts_its_prompt_by_its_id() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        running = await begun(adapter, comfyui)
        prompt = comfyui.running[0]["id"]
        await cancelled(running)

        assert comfyui.running == []
        assert {"prompt_id": prompt} in [b for path, b in comfyui.asked if path == "interrupt"]
        assert (await run(adapter, task(picture()))).colours == [(255, 0, 0)]
        await adapter.check()


async def test_a_prompt_that_waits_is_taken_out_of_the_queue() -> None:
    comfyui = ComfyUi()
    async with served(comfyui.app) as url, connected(url) as mine, connected(url) as other:
        running = await begun(other, comfyui)
        waiting = asyncio.create_task(run(mine, task(picture())))
        while not comfyui.pending:
            await asyncio.sleep(0.01)
        await cancelled(waiting)

        assert comfyui.pending == []
        assert "interrupt" not in [path for path, _ in comfyui.asked]
        assert not running.done()
        await cancelled(running)


class Heard(ComfyUi):
    """Counts the prompts whose headers have come."""

    heard = 0

    @override
    async def prompt(self, request: Request) -> Response:
        self.heard += 1
        return await super().prompt(request)


async def test_a_prompt_goes_out_before_its_turn_and_begins_only_with_it() -> None:
    comfyui = Heard()
    async with driving(comfyui) as adapter:
        running = await begun(adapter, comfyui)
        waiting = asyncio.create_task(run(adapter, task(picture())))
        while comfyui.heard < 2:
            await asyncio.sleep(0.01)
        await cancelled(waiting)
        assert not running.done()
        await cancelled(running)
        await run(adapter, task(picture()))

    sent = [body["prompt"] for path, body in comfyui.asked if path == "prompt"]
    assert sent == [blurred(100), picture()]


async def test_a_prompt_is_stopped_although_it_was_just_being_sent() -> None:
    comfyui = ComfyUi(faults=Faults(slow_to_take=0.3))
    async with driving(comfyui) as adapter:
        running = asyncio.create_task(run(adapter, task(blurred(100))))
        while not comfyui.asked:
            await asyncio.sleep(0.01)
        await cancelled(running)

        assert comfyui.running == comfyui.pending == []
        comfyui.faults = Faults()
        assert (await run(adapter, task(picture()))).colours == [(255, 0, 0)]


async def test_a_second_cancellation_does_not_leave_the_prompt_behind() -> None:
    comfyui = ComfyUi(faults=Faults(disobedient=True))
    async with driving(comfyui) as adapter:
        running = await begun(adapter, comfyui)
        running.cancel()
        while "interrupt" not in [path for path, _ in comfyui.asked]:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.sleep(0.01)
        comfyui.faults.disobedient = False
        await asyncio.wait([running])

        assert running.cancelled()
        assert comfyui.running == []


async def test_a_server_that_does_not_obey_is_not_used_any_more() -> None:
    comfyui = ComfyUi(faults=Faults(disobedient=True))
    async with driving(comfyui, obeySeconds=0.2) as adapter:
        await cancelled(await begun(adapter, comfyui))

        with pytest.raises(RuntimeUnavailable, match="was to stop"):
            await adapter.check()


async def test_the_next_prompt_is_sent_while_the_outputs_of_the_last_are_fetched() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        first, second = await asyncio.gather(
            run(adapter, task(picture(1))), run(adapter, task(picture(2), "s2"))
        )

    assert (first.colours, second.colours) == ([(0, 0, 1)], [(0, 0, 2)])
    assert adapter.slots == 2
