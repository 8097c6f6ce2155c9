"""The double answers whatever it is sent, as ComfyUI does."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.world import Node, empty, node, picture

UNREADABLE: list[Any] = ["x", None, {}, float("inf"), float("nan")]


async def sent(comfyui: ComfyUi, graph: dict[str, Node]) -> httpx.Response:
    transport = httpx.ASGITransport(comfyui.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://comfyui") as client:
        body = {"prompt": graph, "prompt_id": "p", "client_id": "c"}
        # Not httpx's own JSON, which has no NaN.
        return await client.post("/prompt", content=json.dumps(body))


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


@pytest.mark.parametrize(
    ("link", "details"),
    [
        ([1, 0], "1"),
        (["1", 99], "tuple index out of range"),
        (["1", "0"], "tuple indices must be integers or slices, not str"),
        (["1", 0.5], "tuple indices must be integers or slices, not float"),
        (["3", 0], "tuple index out of range"),
    ],
)
async def test_a_link_to_no_output_is_refused(link: list[Any], details: str) -> None:
    graph = {"1": empty(), "2": node("SaveImage", images=link), "3": node("Block", message="x")}
    answer = await sent(ComfyUi(), graph)

    (error,) = answer.json()["node_errors"]["2"]["errors"]
    assert (error["type"], error["details"]) == ("exception_during_validation", details)


@pytest.mark.parametrize("value", [[], ["1"], ["1", 0, 0]])
async def test_a_list_of_another_length_is_no_link(value: list[Any]) -> None:
    answer = await sent(ComfyUi(), {"1": empty(), "2": node("SaveImage", images=value)})

    (error,) = answer.json()["node_errors"]["2"]["errors"]
    assert (error["type"], error["details"]) == ("bad_linked_input", "images")


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        *((each, "invalid_input_type", "convert an input value to a INT") for each in UNREADABLE),
        (10**12, "value_bigger_than_max", "Value 1000000000000 bigger than max of 16384"),
        ("16385", "value_bigger_than_max", "Value 16385 bigger than max of 16384"),
        (0.9, "value_smaller_than_min", "Value 0 smaller than min of 1"),
        (False, "value_smaller_than_min", "Value 0 smaller than min of 1"),
    ],
)
async def test_a_value_is_converted_and_held_to_its_limits(
    value: Any, kind: str, message: str
) -> None:
    wrong = {"1": node("EmptyImage", width=value, height=8)}
    answer = await sent(ComfyUi(), picture() | wrong)

    assert answer.status_code == 400
    (error,) = answer.json()["node_errors"]["1"]["errors"]
    assert error["type"] == kind
    assert message in error["message"]
    assert error["extra_info"]["input_name"] == "width"


async def test_numbers_that_are_texts_are_taken() -> None:
    comfyui = ComfyUi()
    graph = picture() | {"1": node("EmptyImage", width="16", height=16.7, batch_size=True)}
    assert (await sent(comfyui, graph)).status_code == 200

    assert (await entry(comfyui))["status"]["status_str"] == "success"


async def test_a_graph_without_an_output_node_is_refused() -> None:
    answer = await sent(ComfyUi(), {"1": empty()})

    assert answer.json()["error"]["type"] == "prompt_no_outputs"


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ({"1": node("EmptyImage", width=16384, height=16384, batch_size=4096)}, "RuntimeError"),
        ({"2": node("ImageScale", image=5, width=8, height=8)}, "AttributeError"),
        ({"3": node("Save", kind="images", file="a", hex="no hexadecimal")}, "ValueError"),
    ],
)
async def test_whatever_a_node_raises_ends_its_prompt_alone(
    nodes: dict[str, Node], kind: str
) -> None:
    comfyui = ComfyUi()
    await sent(comfyui, picture() | nodes)
    messages = dict((await entry(comfyui))["status"]["messages"])
    assert messages["execution_error"]["exception_type"] == kind

    comfyui.history.clear()
    await sent(comfyui, picture())
    assert (await entry(comfyui))["status"]["status_str"] == "success"


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
