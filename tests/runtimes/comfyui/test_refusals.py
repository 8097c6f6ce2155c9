"""Refused graphs fail at once, with the node and the field, and leak nothing of the server."""

import logging
from typing import Any

import pytest

from models.errors import RuntimeUnavailable, TaskFailed
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.state import Faults
from tests.runtimes.comfyui.world import driving, empty, node, picture, task
from tests.runtimes.world import run

LOADER = {"7": node("CheckpointLoaderSimple", ckpt_name="absent.safetensors")}
BROKEN = LOADER | {"8": node("PreviewAny", source=["7", 0])}


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (
            picture() | {"4": node("NoSuch"), "5": node("Other"), "6": node("NoSuch")},
            r"4\.class_type: this ComfyUI has no class 'NoSuch' \(of 2 nodes\);.* 5\..*'Other';",
        ),
        ({"1": empty()}, "Prompt has no outputs"),
        (picture() | {"1": empty() | {"inputs": {}}}, r"node 1 \(EmptyImage\), width: Required"),
        (
            picture() | {"1": node("EmptyImage", width=0, height=8)},
            r"node 1 \(EmptyImage\), width: Value 0 smaller than min of 1",
        ),
        (BROKEN, r"ckpt_name: 'absent.safetensors' is not there; there is: first.safetensors"),
    ],
)
async def test_a_graph_that_is_not_taken_fails_with_its_node_and_field(
    graph: dict[str, Any], told: str
) -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        with pytest.raises(TaskFailed, match=told) as failed:
            await run(adapter, task(graph))

    assert "/srv" not in str(failed.value.reason)
    assert comfyui.ran == []


async def test_a_long_list_of_checkpoints_is_told_too() -> None:
    names = [f"{n}.safetensors" for n in range(30)]  # ComfyUI itself lists no more than 20
    async with driving(ComfyUi(checkpoints=names)) as adapter:
        with pytest.raises(TaskFailed, match=r"there is: 0\.safetensors.*29\.safetensors"):
            await run(adapter, task(BROKEN))


async def test_that_there_are_no_checkpoints_at_all_is_told() -> None:
    async with driving(ComfyUi(checkpoints=[])) as adapter:
        with pytest.raises(TaskFailed, match="is not there; there is: nothing"):
            await run(adapter, task(BROKEN))


async def test_a_graph_that_is_taken_in_part_fails_and_is_withdrawn() -> None:
    comfyui = ComfyUi(slow_seconds=0.5)
    slow = picture() | {"9": node("ImageBlur", image=["2", 0])} | BROKEN
    slow["3"] = node("SaveImage", images=["9", 0])
    async with driving(comfyui) as adapter:
        with pytest.raises(TaskFailed, match=r"absent\.safetensors"):
            await run(adapter, task(slow))

        assert comfyui.running == comfyui.pending == []
        await adapter.check()


async def test_a_part_of_a_graph_runs_where_that_is_allowed() -> None:
    async with driving(ComfyUi(), allowPartial=True) as adapter:
        done = await run(adapter, task(picture() | BROKEN))

    assert done.colours == [(255, 0, 0)]


async def test_a_node_that_fails_is_told_without_what_leaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising = {"2": node("Raise", image=["1", 0], type="ValueError", message="no such tile")}
    with caplog.at_level(logging.DEBUG, "ray.serve.atelier.comfyui"):
        async with driving(ComfyUi()) as adapter:
            with pytest.raises(TaskFailed) as failed:
                await run(adapter, task(picture() | raising))

    assert str(failed.value) == "node 2 (Raise) failed with ValueError: no such tile"
    assert failed.value.reason == {
        "node_id": "2",
        "node_type": "Raise",
        "exception_type": "ValueError",
        "exception_message": "no such tile",
    }
    logged = {record.getMessage(): vars(record) for record in caplog.records}
    assert "/srv/comfyui" in logged["comfyui_node_failed"]["trace"]
    assert logged["comfyui_node_inputs"]["inputs"] == {"a": ["secret"]}


async def test_paths_of_the_server_and_pictures_are_told_neither_by_nodes_nor_by_refusals() -> None:
    secret = "[Errno 2] No such file or directory: '/srv/comfyui/input/s2/1.png'; given: "
    raising = {"2": node("Raise", image=["1", 0], type="OSError", message=secret + "A" * 50_000)}
    wrong = {"2": node("CheckpointLoaderSimple", ckpt_name="A" * 50_000)}
    for graph in (picture() | raising, BROKEN | wrong | {"8": node("PreviewAny", source=["2", 0])}):
        async with driving(ComfyUi()) as adapter:
            with pytest.raises(TaskFailed) as failed:
                await run(adapter, task(graph))

        told = f"{failed.value} {failed.value.reason}"
        assert "/srv" not in told
        assert "AAAAAAAAAA" not in told
        assert "50000 characters" in told
        assert len(told) < 3_000


async def test_of_many_problems_the_first_are_told() -> None:
    graph = {f"{n}": node("EmptyImage", width=0, height=0) for n in range(500)}
    graph["save"] = node("SaveImage", images=["0", 0])
    async with driving(ComfyUi()) as adapter:
        with pytest.raises(TaskFailed, match="and 995 more") as failed:
            await run(adapter, task(graph))

    assert len(failed.value.reason["problems"]) == 20


async def test_a_class_that_a_server_got_since_is_known() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        server = adapter._ready_server  # noqa: SLF001 - as if it had been asked before the pack was there
        server.classes.discard("SaveImage")
        done = await run(adapter, task(picture()))

    assert done.colours == [(255, 0, 0)]


async def test_a_graph_that_it_cannot_even_read_has_failed_and_a_server_away_has_not() -> None:
    comfyui = ComfyUi(faults=Faults(status=500))
    async with driving(comfyui) as adapter:
        with pytest.raises(TaskFailed, match="it answered 500"):
            await run(adapter, task(picture()))
        await adapter.check()
        comfyui.faults.status = 503
        with pytest.raises(RuntimeUnavailable, match="503"):
            await run(adapter, task(picture()))


async def test_a_file_that_is_not_the_tasks_is_refused_before_anything_is_sent() -> None:
    comfyui, graph = ComfyUi(), picture() | {"1": node("LoadImage", image="../../etc/passwd")}
    async with driving(comfyui) as adapter:
        with pytest.raises(TaskFailed, match=r"1\.inputs\.image: names a file that is not"):
            adapter.links(task(graph))
        with pytest.raises(TaskFailed, match=r"1\.inputs\.image: names a file that is not"):
            await run(adapter, task(graph))

    assert comfyui.asked == []


async def test_a_file_that_the_operator_allows_is_comfyuis_to_find() -> None:
    comfyui, graph = ComfyUi(), picture() | {"1": node("LoadImage", image="example.png")}
    async with driving(comfyui, allowFiles=["example.png"]) as adapter:
        with pytest.raises(TaskFailed, match=r"\(LoadImage\), image: .*Invalid image file"):
            await run(adapter, task(graph))
        comfyui.files["input", "", "example.png"] = b"png"
        done = await run(adapter, task(graph))

    assert done.colours == [(0, 0, 255)]


async def test_a_class_that_is_not_allowed_is_refused_before_anything_is_sent() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui, allowNodes=["EmptyImage"]) as adapter:
        with pytest.raises(TaskFailed, match=r"2\.class_type: 'ImageScale'"):
            adapter.links(task(picture()))
        with pytest.raises(TaskFailed, match=r"2\.class_type: 'ImageScale'"):
            await run(adapter, task(picture()))

    assert comfyui.asked == []
