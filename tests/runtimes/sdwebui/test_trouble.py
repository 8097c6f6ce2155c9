"""A server that runs out of memory, loses its device or hangs up."""

import pytest
from starlette.responses import JSONResponse, Response

from models.errors import RuntimeUnavailable, TaskFailed
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.double_state import hung_up
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import run

MEMORY = {"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory."}


def posted(web_ui: WebUi, *paths: str) -> list[str]:
    return [path for path, _ in web_ui.asked if path in paths]


async def test_out_of_memory_is_tried_once_more_with_more_room() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [JSONResponse(MEMORY, 500)]
        done = await run(adapter, task())
        await adapter.check()

    assert len(done.pictures) == 1
    assert posted(web_ui, "txt2img", "unload-checkpoint", "reload-checkpoint") == [
        "txt2img",
        "unload-checkpoint",
        "reload-checkpoint",
        "txt2img",
    ]


async def test_out_of_memory_twice_is_for_another_try_elsewhere() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [JSONResponse(MEMORY, 500), JSONResponse(MEMORY, 500)]
        with pytest.raises(RuntimeUnavailable, match="out of memory"):
            await run(adapter, task())

        assert posted(web_ui, "txt2img") == ["txt2img"] * 2
        assert (await run(adapter, task())).pictures


async def test_a_failed_device_ends_the_replica() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [RuntimeError("CUDA error: device-side assert triggered")]
        with pytest.raises(RuntimeUnavailable, match="CUDA error"):
            await run(adapter, task())
        with pytest.raises(RuntimeUnavailable, match="CUDA error"):
            await adapter.check()
        with pytest.raises(RuntimeUnavailable, match="CUDA error"):
            await run(adapter, task())

    assert len(posted(web_ui, "txt2img")) == 1


async def test_a_generation_is_never_sent_twice() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [hung_up()]
        with pytest.raises(RuntimeUnavailable, match="broke off"):
            await run(adapter, task())
        with pytest.raises(RuntimeUnavailable, match="broke off"):
            await adapter.check()

    assert len(posted(web_ui, "txt2img")) == 1


async def test_a_sick_server_is_told_and_the_next_task_runs() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [JSONResponse({"detail": "busy"}, 503)]
        with pytest.raises(RuntimeUnavailable, match="503: busy"):
            await run(adapter, task())

        assert (await run(adapter, task())).pictures


async def test_an_answer_without_a_picture_is_a_failure() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [JSONResponse({"images": [], "parameters": {}, "info": "{}"})]
        with pytest.raises(TaskFailed, match="the server gave no picture"):
            await run(adapter, task())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (JSONResponse({"images": ["x"], "parameters": {}, "info": "{}"}), "picture is broken"),
        (JSONResponse(["x"]), "no object"),
        (Response("<html>"), "no JSON"),
    ],
)
async def test_an_answer_that_is_none_is_worth_another_try(answer: Response, told: str) -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.faults.answers = [answer]
        with pytest.raises(RuntimeUnavailable, match=told):
            await run(adapter, task())
