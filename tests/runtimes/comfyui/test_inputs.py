"""Links become files in ComfyUI's folder of inputs, under the submission's name."""

import base64

import pytest

from models.errors import TaskFailed
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.world import driving, empty, node, picture, task
from tests.runtimes.world import run

LINK, OTHER = "https://example.com/a?b=c", "s3://bucket/b"
PNG, WAV = b"\x89PNG\r\n\x1a\n", b"RIFF\x24\x00\x00\x00WAVEfmt "


async def test_what_is_behind_links_is_uploaded_and_found_by_the_nodes() -> None:
    comfyui = ComfyUi()
    graph = picture() | {
        "1": node("LoadImage", image=LINK),
        "8": node("LoadImage", image=OTHER),
        "9": node("SaveImage", images=["8", 0]),
    }
    async with driving(comfyui) as adapter:
        assert list(adapter.links(task(graph))) == [LINK, OTHER]
        done = await run(adapter, task(graph), {LINK: PNG, OTHER: WAV})

    uploads = [body for path, body in comfyui.asked if path == "upload/image"]
    assert {(one["subfolder"], one["overwrite"]) for one in uploads} == {("s1", "true")}
    assert [one["name"] for one in uploads] == ["1.png", "2.wav"]
    assert comfyui.files[("input", "s1", "1.png")] == PNG
    assert done.colours == [(0, 0, 255)] * 2


async def test_files_in_the_graph_itself_are_uploaded_and_found_by_the_nodes() -> None:
    comfyui, text = ComfyUi(), base64.b64encode(PNG + bytes(40)).decode()
    graph = picture() | {
        "1": node("LoadImage", image=text),
        "7": node("LoadImage", image=LINK),
        "8": node("LoadImage", image=f"data:image/png;base64,{text}"),
        "9": node("SaveImage", images=["8", 0]),
    }
    async with driving(comfyui) as adapter:
        assert list(adapter.links(task(graph))) == [LINK]
        assert adapter.pictures(task(graph)) == {
            text: "1.inputs.image",
            f"data:image/png;base64,{text}": "8.inputs.image",
        }
        done = await run(adapter, task(graph), {LINK: WAV})

    (sent,) = [body["prompt"] for path, body in comfyui.asked if path == "prompt"]
    assert [sent[name]["inputs"]["image"] for name in "178"] == ["s1/2.png", "s1/1.wav", "s1/3.png"]
    assert comfyui.files["input", "s1", "2.png"] == PNG + bytes(40)
    assert done.colours == [(0, 0, 255)] * 2


async def test_a_file_in_url_safe_base64_without_padding_is_the_same_file() -> None:
    comfyui, data = ComfyUi(), PNG + b"\xfb\xef\xff" * 20
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    graph = picture() | {"1": node("LoadImage", image=text)}
    async with driving(comfyui) as adapter:
        done = await run(adapter, task(graph))

    assert comfyui.files["input", "s1", "1.png"] == data
    assert done.colours == [(0, 0, 255)]


async def test_a_submission_of_any_name_has_a_folder_below_the_inputs() -> None:
    comfyui = ComfyUi()
    graph = {"1": node("LoadImage", image=LINK), "2": node("SaveImage", images=["1", 0])}
    async with driving(comfyui) as adapter:
        await run(adapter, task(graph, "../../etc"), {LINK: PNG})

    (folder,) = {folder for place, folder, _ in comfyui.files if place == "input"}
    assert folder.isalnum()


async def test_a_node_that_fetches_by_itself_keeps_its_link() -> None:
    comfyui = ComfyUi()
    graph = {"1": node("LoadImageFromUrl", url=LINK), "2": node("SaveImage", images=["1", 0])}
    async with driving(comfyui) as adapter:
        await run(adapter, task(graph))

    (sent,) = [body["prompt"] for path, body in comfyui.asked if path == "prompt"]
    assert sent["1"]["inputs"] == {"url": LINK}


async def test_a_link_without_input_is_no_file() -> None:
    graph = {"1": node("LoadImage", image=LINK), "2": empty()}
    async with driving(ComfyUi()) as adapter:
        with pytest.raises(TaskFailed, match="link 1 of the graph has no input"):
            await run(adapter, task(graph))
