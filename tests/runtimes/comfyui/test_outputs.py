"""Outputs of every kind, in order; nothing is no success."""

import pytest

from models.errors import TaskFailed
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.state import Faults
from tests.runtimes.comfyui.world import (
    GREEN,
    RED,
    driving,
    empty,
    node,
    picture,
    sampled,
    saved,
    task,
)
from tests.runtimes.world import colour, run

GIF, WAV, GLB, PNG = b"GIF89a....", b"RIFF....WAVE", b"glTF....", b"\x89PNG\r\n\x1a\n"


async def test_every_kind_is_kept_in_the_order_of_the_nodes() -> None:
    graph = {
        "30": saved("3d", "3d/thing.glb", GLB),
        "4": saved("gifs", "a.gif", GIF),
        "5": saved("audio", "a.wav", WAV),
        "6": node("PreviewAny", source="a word"),
        "1": saved("images", "a.png", PNG),
    }
    async with driving(ComfyUi()) as adapter:
        done = await run(adapter, task(graph))

    assert done.pictures == [GLB, GIF, WAV, PNG]
    assert list(done.body["outputs"]) == list(graph)
    assert done.body["outputs"]["6"] == {"text": ["a word"]}
    assert done.body["outputs"]["4"]["animated"] == [True]
    assert "/srv" not in str(done.body)


async def test_comfyuis_own_file_names_are_told_beside_the_artifacts() -> None:
    graph = picture(RED, batch=2) | {"4": saved("latents", "l/a_00001_.latent", b"\x08" + bytes(8))}
    async with driving(ComfyUi()) as adapter:
        done = await run(adapter, task(graph))

    names = ["x_00001_.png", "x_00002_.png", "l/a_00001_.latent"]
    assert [artifact.name for artifact in done.artifacts] == names
    assert done.body["files"] == [
        {"artifact": number, "node": node_name, "filename": name}
        for number, node_name, name in zip((1, 2, 3), "334", names, strict=True)
    ]


async def test_previews_are_left_out_unless_there_is_nothing_else() -> None:
    preview = {"9": node("PreviewImage", images=["1", 0])}
    async with driving(ComfyUi()) as adapter:
        both = await run(adapter, task(picture(RED) | preview))
        alone = await run(adapter, task({"1": empty(GREEN)} | preview))

    assert both.colours == [(255, 0, 0)]
    assert both.body["outputs"]["9"]["images"][0]["type"] == "temp"
    assert alone.colours == [(0, 255, 0)]


@pytest.mark.parametrize("name", ["a b+c&d#é%.png", "sub folder/über/x?.png", "a;b=c.png"])
async def test_a_file_of_any_name_is_fetched(name: str) -> None:
    async with driving(ComfyUi()) as adapter:
        done = await run(adapter, task({"1": saved("images", name, PNG)}))

    assert done.pictures == [PNG]


async def test_a_file_that_is_told_twice_is_kept_once() -> None:
    graph = {"1": saved("images", "a.png", PNG), "2": saved("videos", "a.png", PNG)}
    async with driving(ComfyUi()) as adapter:
        done = await run(adapter, task(graph))

    assert done.pictures == [PNG]


@pytest.mark.parametrize("metadata", [True, False], ids=["newer", "older"])
async def test_pictures_sent_over_the_socket_are_outputs_and_previews_are_not(
    metadata: bool,
) -> None:
    graph = sampled(3) | {"4": node("SaveImageWebsocket", images=["2", 0])}
    graph["1"] = empty(RED, batch=2)
    async with driving(ComfyUi(faults=Faults(metadata=metadata))) as adapter:
        done = await run(adapter, task(graph))
        again = await run(adapter, task(graph))

    sent = done.body["outputs"]["4"]["images"]
    assert [colour(one.data) for one in sent] == [(255, 0, 0), (255, 0, 1)]
    assert len(done.pictures) == 4
    assert again.colours == done.colours


async def test_what_is_cached_gives_the_same_pictures_without_running() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        first = await run(adapter, task(picture()))
        comfyui.ran.clear()
        second = await run(adapter, task(picture(), "s2"))

    assert comfyui.ran == []
    assert second.pictures == first.pictures


async def test_a_cache_without_outputs_is_dropped_and_the_graph_run_again() -> None:
    comfyui = ComfyUi(faults=Faults(forgetful=True))
    async with driving(comfyui) as adapter:
        await run(adapter, task(picture()))
        done = await run(adapter, task(picture(), "s2"))

    assert done.colours == [(255, 0, 0)]
    assert comfyui.freed == 1
    assert done.progress[-1].step == done.progress[-1].of


async def test_a_cached_file_that_is_gone_is_made_again() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        await run(adapter, task(picture()))
        comfyui.files.clear()
        done = await run(adapter, task(picture(), "s2"))

    assert done.colours == [(255, 0, 0)]
    assert comfyui.freed == 1


async def test_a_graph_that_gives_nothing_has_failed() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        with pytest.raises(TaskFailed, match="without any output"):
            await run(adapter, task({"1": empty(), "2": node("SaveNothing", images=["1", 0])}))

    assert comfyui.freed == 0


async def test_a_node_that_refused_to_run_says_why_there_is_nothing() -> None:
    async with driving(ComfyUi()) as adapter:
        with pytest.raises(TaskFailed, match="Execution Blocked: no mask"):
            await run(adapter, task({"1": node("Block", message="no mask")}))
        done = await run(adapter, task(picture() | {"9": node("Block", message="no mask")}))

    assert done.colours == [(255, 0, 0)]
