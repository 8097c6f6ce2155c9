"""Losses of the socket are made good from history; devices in trouble, the replica heeds."""

import asyncio
import json
import struct
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter, prompts
from deployments.runtimes.comfyui.event_socket import image_in
from models.errors import RuntimeUnavailable, SettingsError, TaskFailed
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.state import Faults
from tests.runtimes.comfyui.world import blurred, driving, empty, node, picture, sampled, task
from tests.runtimes.world import run
from tests.serving import served

OOM = ("torch.OutOfMemoryError", "Allocation on device\nThis error means you ran out of memory")
CUDA = ("torch.AcceleratorError", "CUDA error: an illegal memory access was encountered")
RAISING = picture() | {"2": node("Raise", image=["1", 0], type="", message="")}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(prompts, "_SETTLE_SECONDS", 0)


@pytest.mark.parametrize(
    "faults",
    [
        Faults(deaf=True),
        Faults(lose_socket_at="3"),
        Faults(late_history=0.3),
        Faults(own_ids=True),
        Faults(deaf=True, own_ids=True),
    ],
    ids=["deaf", "lost", "late", "own ids", "deaf with own ids"],
)
async def test_a_prompt_is_brought_to_its_end_without_its_messages(faults: Faults) -> None:
    comfyui = ComfyUi(faults=faults)
    async with driving(comfyui) as adapter:
        first = await run(adapter, task(picture(1)))
        comfyui.faults = Faults()
        second = await run(adapter, task(sampled(30), "s2"))

    assert (first.colours, second.colours) == ([(0, 0, 1)], [(255, 0, 0)])
    assert any(1 < step.step < step.of for step in second.progress)  # the socket is heard again


async def test_pictures_that_were_lost_with_the_socket_are_sent_again() -> None:
    graph = {"1": empty(batch=2), "2": node("SaveImageWebsocket", images=["1", 0])}
    comfyui = ComfyUi(faults=Faults(lose_socket_at="2"))
    async with driving(comfyui) as adapter:
        done = await run(adapter, task(graph))

    assert done.colours == [(255, 0, 0), (255, 0, 1)]
    assert comfyui.freed == 1


async def test_pictures_that_came_after_the_socket_was_back_are_not_made_again() -> None:
    graph = {
        "1": empty(),
        "2": node("Slow", latent_image=["1", 0], steps=30),
        "3": node("SaveImageWebsocket", images=["2", 0]),
    }
    comfyui = ComfyUi(faults=Faults(lose_socket_at="2"))
    async with driving(comfyui) as adapter:
        done = await run(adapter, task(graph))

    assert done.colours == [(255, 0, 0)]
    assert comfyui.freed == 0


async def test_pictures_that_are_lost_again_leave_the_task_to_another_try() -> None:
    graph = {"1": empty(), "2": node("SaveImageWebsocket", images=["1", 0])}
    async with driving(ComfyUi(faults=Faults(deaf=True))) as adapter:
        with pytest.raises(RuntimeUnavailable, match="socket"):
            await run(adapter, task(graph))


@pytest.mark.parametrize("place", ["pending", "running"])
async def test_a_prompt_that_is_in_neither_queue_nor_history_is_lost(place: str) -> None:
    comfyui = ComfyUi()
    async with driving(comfyui, silenceSeconds=0.2) as adapter:
        if place == "pending":
            comfyui.running = [{"id": "another's", "graph": {}, "of": "x", "ends": []}]
            comfyui.worker.holds = True
        running = asyncio.create_task(run(adapter, task(blurred(100))))
        while not (comfyui.ran or comfyui.pending):
            await asyncio.sleep(0.01)
        comfyui.pending, comfyui.running, comfyui.faults = [], [], Faults(deaf=True)
        with pytest.raises(RuntimeUnavailable, match="lost the prompt"):
            await running
        await adapter.check()


async def test_a_server_that_is_gone_is_given_up() -> None:
    comfyui = ComfyUi()
    async with served(comfyui.app) as url:
        options = {"backend": {"url": url}, "silenceSeconds": 0.2}
        adapter = ComfyUiAdapter(RuntimeSpec(name="comfy", options=options))
        await adapter.ready()
        running = asyncio.create_task(run(adapter, task(blurred(50))))
        while not comfyui.ran:
            await asyncio.sleep(0.01)
    with pytest.raises(RuntimeUnavailable, match="did not answer"):
        await running
    with pytest.raises(RuntimeUnavailable):
        await adapter.check()
    with pytest.raises(RuntimeUnavailable):
        await run(adapter, task(picture()))
    await adapter.close()


async def test_out_of_memory_is_tried_once_more_with_memory_freed() -> None:
    comfyui = ComfyUi(faults=Faults(errors=[OOM]))
    async with driving(comfyui) as adapter:
        done = await run(adapter, task(RAISING))

        assert done.colours == [(255, 0, 0)]
        assert comfyui.freed == 1
        await adapter.check()


async def test_out_of_memory_twice_leaves_the_task_to_another_try() -> None:
    comfyui = ComfyUi(faults=Faults(errors=[OOM, OOM]))
    async with driving(comfyui) as adapter:
        with pytest.raises(RuntimeUnavailable, match="OutOfMemoryError"):
            await run(adapter, task(RAISING))

    assert [path for path, _ in comfyui.asked].count("prompt") == 2


async def test_a_device_that_failed_is_not_used_any_more() -> None:
    comfyui = ComfyUi(faults=Faults(errors=[CUDA]))
    async with driving(comfyui) as adapter:
        with pytest.raises(RuntimeUnavailable, match="illegal memory access"):
            await run(adapter, task(RAISING))
        with pytest.raises(RuntimeUnavailable, match="illegal memory access"):
            await adapter.check()
        with pytest.raises(RuntimeUnavailable, match="illegal memory access"):
            await run(adapter, task(picture()))

    assert [path for path, _ in comfyui.asked].count("prompt") == 1


async def test_what_somebody_else_interrupts_is_left_to_another_try() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        running = asyncio.create_task(run(adapter, task(blurred(100))))
        while not comfyui.ran:
            await asyncio.sleep(0.01)
        comfyui.worker.stop = True
        with pytest.raises(RuntimeUnavailable, match="interrupted"):
            await running


async def test_a_failure_without_a_word_is_a_failure() -> None:
    comfyui = ComfyUi(faults=Faults(late_history=0.2))
    async with driving(comfyui) as adapter:
        running = asyncio.create_task(run(adapter, task(picture())))
        while not comfyui.running:
            await asyncio.sleep(0.01)
        prompt = comfyui.running[0]["id"]
        comfyui.history[prompt] = {"outputs": {}, "status": {"status_str": "error"}}
        with pytest.raises(TaskFailed, match="not why"):
            await running


@pytest.mark.parametrize(
    "message",
    [b"", b"\0\0\0\x03text", struct.pack(">II", 4, 9) + b"{", struct.pack(">II", 4, 2) + b"{}"],
)
def test_a_binary_message_without_a_picture_is_none(message: bytes) -> None:
    assert image_in(message) is None


def test_a_picture_with_metadata_says_whose_it_is() -> None:
    about = json.dumps({"node_id": "1", "prompt_id": "p"}).encode()
    found = image_in(struct.pack(">II", 4, len(about)) + about + b"png")

    assert found
    assert (found.data, found.node, found.prompt) == (b"png", "1", "p")


async def test_a_warm_up_that_is_refused_is_told_at_the_start() -> None:
    async with served(ComfyUi().app) as url:
        options: dict[str, Any] = {"backend": {"url": url}, "warmUp": {"1": node("NoSuchNode")}}
        adapter = ComfyUiAdapter(RuntimeSpec(name="comfy", options=options))
        with pytest.raises(RuntimeUnavailable, match=r"warmUp .*NoSuchNode"):
            await adapter.ready()


async def test_a_warm_up_runs_before_the_first_task() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui, warmUp=picture()):
        assert comfyui.ran == ["1", "2", "3"]


def test_what_needs_a_process_of_ours_is_refused_without_one() -> None:
    options = {"backend": {"url": "http://127.0.0.1:1"}, "customNodes": ["/nodes"]}
    with pytest.raises(SettingsError, match=r"need backend\.command"):
        ComfyUiAdapter(RuntimeSpec(name="comfy", options=options))
