"""A ComfyUI that the replica starts: the double as a program, or a real one (see `real`)."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import yaml

from deployments.adapter import RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter
from models.errors import TaskFailed
from tests.docs.pages import ROOT, blocks
from tests.runtimes.comfyui.real import CHECKPOINT, COMFYUI, options
from tests.runtimes.comfyui.world import empty, node, picture, sampled, saved, task
from tests.runtimes.world import at_work, backends, colour, run

LINK = "https://example.com/a.png"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
async def adapter(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ComfyUiAdapter]:
    folder = tmp_path_factory.mktemp("comfyui")
    spec = RuntimeSpec(name="comfy", options=options(folder, keepMib=64))
    async with at_work(ComfyUiAdapter(spec)) as one:
        yield one


def folder_of(name: str) -> Path:
    """Return the folder of the newest ComfyUI that was started here."""
    words = max(backends(), key=psutil.Process.create_time).cmdline()
    return Path(words[words.index(f"--{name}-directory") + 1])


async def test_fifty_tasks_in_a_row_each_give_their_own_picture(adapter: ComfyUiAdapter) -> None:
    slots = asyncio.Semaphore(adapter.slots)

    async def one(number: int) -> None:
        async with slots:
            done = await run(adapter, task(picture(number * 5000), f"s{number}"))
        assert [colour(made) for made in done.pictures] == [
            (number * 5000 >> 16, number * 5000 >> 8 & 0xFF, number * 5000 & 0xFF)
        ]

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(one(number))


async def test_a_node_that_fails_is_told(adapter: ComfyUiAdapter) -> None:
    raising = node("Raise", image=["1", 0], type="ValueError", message="no such tile")
    with pytest.raises(TaskFailed, match=r"node 2 \(Raise\) failed with ValueError: no such tile"):
        await run(adapter, task(picture() | {"2": raising}))


async def test_a_graph_that_is_not_valid_is_told_with_its_field(adapter: ComfyUiAdapter) -> None:
    loader = {"7": node("CheckpointLoaderSimple", ckpt_name="absent.safetensors")}
    with pytest.raises(TaskFailed, match=r"node 1 \(EmptyImage\), width: Value 0 smaller than min"):
        await run(
            adapter, task(picture() | {"1": empty() | {"inputs": empty()["inputs"] | {"width": 0}}})
        )
    with pytest.raises(TaskFailed, match=rf"ckpt_name: .*there is: {CHECKPOINT}"):
        await run(adapter, task(loader | {"8": node("PreviewAny", source=["7", 0])}))


CONFIGURATIONS = {
    "the document's": next(
        block.text for block in blocks("docs/comfyui.md") if "modelsRuntime" in block.text
    ),
    "the sample": (ROOT / "samples/config/comfyui.yaml").read_text(),
}


@pytest.mark.skipif(
    bool(COMFYUI),
    reason="by the double alone: a real one stands in a folder that no document names",
)
@pytest.mark.parametrize("name", CONFIGURATIONS)
async def test_a_configuration_that_is_shown_starts_as_it_stands(name: str) -> None:
    (runtime,) = yaml.safe_load(CONFIGURATIONS[name])["modelsRuntime"]
    shown = runtime["options"]
    python, main, *arguments = shown["backend"]["command"]
    assert (Path(python).name, main) == ("python", "main.py")

    double = [sys.executable, "-m", "tests.runtimes.comfyui.double", *arguments]
    server = shown["backend"] | {"command": double, "folder": str(ROOT)}
    spec = RuntimeSpec(name="comfy", options=shown | {"backend": server})
    async with at_work(ComfyUiAdapter(spec)) as one:
        done = await run(one, task(picture()))

    assert done.colours == [(255, 0, 0)]


async def test_steps_are_told_with_previews(adapter: ComfyUiAdapter) -> None:
    done = await run(adapter, task(sampled(20)))

    assert {step.of for step in done.progress} == {22}
    assert done.progress[-1].step == 22
    assert any(step.preview for step in done.progress)


async def test_pictures_come_over_the_socket(adapter: ComfyUiAdapter) -> None:
    graph = {"1": empty(batch=2), "2": node("SaveImageWebsocket", images=["1", 0])}

    for _ in range(2):
        colours = (await run(adapter, task(graph))).colours
        assert (colours[0], len(colours)) == ((255, 0, 0), 2)


async def test_outputs_of_any_kind_and_name_are_kept(adapter: ComfyUiAdapter) -> None:
    graph = {
        "9": saved("gifs", "sub folder/a b+c&d#é%.gif", b"GIF89a"),
        "1": saved("3d", "thing.glb", b"glTF"),
        "5": node("PreviewAny", source="a word"),
    }
    done = await run(adapter, task(graph))

    assert done.pictures == [b"GIF89a", b"glTF"]
    assert done.body["outputs"]["5"] == {"text": ["a word"]}
    assert str(Path.home()) not in str(done.body)
    assert "fullpath" not in str(done.body)


async def test_a_cached_file_that_is_gone_is_made_again(adapter: ComfyUiAdapter) -> None:
    first = await run(adapter, task(picture(77)))
    for file in folder_of("output").glob("*.png"):
        file.unlink()
    again = await run(adapter, task(picture(77), "s2"))

    assert again.colours == first.colours


async def test_out_of_memory_is_tried_once_more(adapter: ComfyUiAdapter) -> None:
    kind = "torch.OutOfMemoryError"
    raising = node("Raise", image=["1", 0], type=kind, message="Allocation on device")
    done = await run(adapter, task(picture(8) | {"2": raising}))

    assert done.colours == [(0, 0, 8)]


async def test_an_input_is_found_by_its_node_and_removed(adapter: ComfyUiAdapter) -> None:
    made = (await run(adapter, task(picture(9)))).pictures[0]
    graph = {"1": node("LoadImage", image=LINK), "2": node("SaveImage", images=["1", 0])}
    graph["2"]["inputs"]["filename_prefix"] = "x"
    await run(adapter, task(graph), {LINK: made})

    assert list(folder_of("input").iterdir()) == []


async def test_what_it_wrote_makes_it_due_for_a_fresh_one(adapter: ComfyUiAdapter) -> None:
    large = folder_of("output") / "large"
    with large.open("wb") as file:
        file.truncate(65 * 2**20)

    assert adapter.is_bloated()
    large.unlink()
    assert not adapter.is_bloated()
