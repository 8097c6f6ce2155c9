"""A generation that nobody wants ends on the server too, and its partial picture is no result."""

import asyncio

import pytest

from models.errors import RuntimeUnavailable
from tests.runtimes.sdwebui.double import PARTIAL, WebUi
from tests.runtimes.sdwebui.world import LONG, driving, task
from tests.runtimes.world import run


async def under_way(web_ui: WebUi) -> None:
    while not web_ui.state.sampling_step:
        await asyncio.sleep(0.001)


async def asked(web_ui: WebUi, name: str) -> None:
    while name not in dict(web_ui.asked):
        await asyncio.sleep(0.001)


async def test_the_server_answers_an_interrupt_with_a_partial_picture() -> None:
    """An interrupt alone does not fail a generation, so the adapter has to know of it."""
    web_ui = WebUi()
    drawing = asyncio.create_task(web_ui.draw("txt2img", {"steps": 50, "width": 8, "height": 8}))
    await under_way(web_ui)
    web_ui.state.interrupted = True
    pictures, _ = await drawing

    assert len(pictures) == 1


async def test_the_next_task_has_a_free_server() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(**LONG)))
        await under_way(web_ui)
        running.cancel()
        done = await run(adapter, task())

    assert running.cancelled()
    assert PARTIAL not in done.colours


async def test_leaving_waits_until_the_server_is_free() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(**LONG)))
        await under_way(web_ui)
        running.cancel()
        await asyncio.wait([running])

        assert running.cancelled()
        assert not web_ui.state.job
        await adapter.check()


async def test_a_generation_that_has_not_begun_is_interrupted_once_it_has() -> None:
    """The server forgets an interrupt when it begins the next job."""
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        async with web_ui.queue:
            running = asyncio.create_task(run(adapter, task(**LONG)))
            await asked(web_ui, "txt2img")
            running.cancel()
            await asked(web_ui, "interrupt")
        await asyncio.wait([running])

        assert not web_ui.state.job
        await adapter.check()


async def test_a_second_cancellation_does_not_leave_the_server_behind() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(**LONG)))
        await under_way(web_ui)
        for _ in range(3):
            running.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([running])

        assert running.cancelled()
        assert not web_ui.state.job


async def test_a_server_that_does_not_heed_an_interrupt_is_replaced() -> None:
    web_ui = WebUi(step_seconds=0.05)
    async with driving(web_ui, interruptSeconds=0.2) as adapter:
        web_ui.faults.deaf = True
        running = asyncio.create_task(run(adapter, task(**LONG)))
        await under_way(web_ui)
        following = asyncio.create_task(run(adapter, task()))
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(RuntimeUnavailable, match=r"did not stop within 0.2 s"):
            await following
        with pytest.raises(RuntimeUnavailable, match=r"did not stop within 0.2 s"):
            await adapter.check()

    assert [path for path, _ in web_ui.asked].count("txt2img") == 1
