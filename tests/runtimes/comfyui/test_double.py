"""The double answers whatever it is sent, as ComfyUI does."""

import asyncio
from typing import Any

import httpx

from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.world import Node, empty, node, picture


async def sent(comfyui: ComfyUi, graph: dict[str, Node]) -> httpx.Response:
    transport = httpx.ASGITransport(comfyui.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://comfyui") as client:
        body = {"prompt": graph, "prompt_id": "p", "client_id": "c"}
        return await client.post("/prompt", json=body)


async def entry(comfyui: ComfyUi) -> Any:
    async with asyncio.timeout(10):
        while "p" not in comfyui.history:
            await asyncio.sleep(0.01)
    return comfyui.history["p"]


async def test_an_input_of_a_node_that_there_is_not_is_refused() -> None:
    answer = await sent(ComfyUi(), {"1": node("SaveImage", images=["99", 0])})

    assert answer.status_code == 400
    (error,) = answer.json()["node_errors"]["1"]["errors"]
    assert (error["type"], error["details"]) == ("exception_during_validation", "'99'")


async def test_a_circle_ends_in_an_error_and_the_next_prompt_runs() -> None:
    comfyui = ComfyUi()
    circle = {
        "1": node("ImageBlur", image=["2", 0]),
        "2": node("ImageBlur", image=["1", 0]),
        "3": node("SaveImage", images=["2", 0]),
    }
    await sent(comfyui, circle)
    messages = dict((await entry(comfyui))["status"]["messages"])
    assert messages["execution_error"]["exception_type"] == "DependencyCycleError"

    comfyui.history.clear()
    await sent(comfyui, picture() | {"1": empty()})
    assert (await entry(comfyui))["status"]["status_str"] == "success"
