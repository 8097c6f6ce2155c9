"""What a prompt that has ended came to: its outputs, or whose fault it is that there are none."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deployments.adapter import Artifact
from deployments.runtimes.comfyui.client import File
from deployments.runtimes.comfyui.faults import Fault, RetryWithFreshMemory, failed, fault_of, note
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from deployments.runtimes.comfyui.outputs import Outputs
from deployments.runtimes.comfyui.server import Server
from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from models.errors import RuntimeUnavailable, TaskFailed

_FETCHED_AT_ONCE = 4


async def outcome(watch: TrackedPrompt, server: Server) -> dict[str, Any]:
    """What the nodes gave, by node and kind, with an artifact for each file.

    Raises:
        TaskFailed: the graph failed, or gave nothing.
        RuntimeUnavailable: it was interrupted from outside, or the device failed.
        Again: it may end better with memory and caches dropped.
    """
    record = await server.prompts.record(watch)
    with suppress(RuntimeUnavailable):
        await server.client.forget(watch.prompt)
    _judge(record, watch, server)
    outputs = Outputs.of(record.outputs, watch.sent, watch.graph)
    if outputs.is_empty:
        raise _nothing(record, watch)
    return outputs.answer(await _fetched(outputs.files, record.cached, server))


def _judge(record: HistoryEntry, watch: TrackedPrompt, server: Server) -> None:
    if record.error:
        note(record.error, watch.prompt)
        failure = failed(record.error, watch.graph)
        fault = fault_of(record.error)
        if fault is Fault.MEMORY:
            raise RetryWithFreshMemory(str(failure))
        if fault is Fault.DEVICE:
            server.prompts.give_up(str(failure))
            raise RuntimeUnavailable(str(failure))
        raise failure
    if record.is_interrupted:  # not by us: a run of ours that is stopped asks no outcome
        raise RuntimeUnavailable("somebody else interrupted ComfyUI")
    if record.is_failed:
        raise TaskFailed("ComfyUI says that the graph failed, and not why")
    if watch.is_incomplete:
        raise RetryWithFreshMemory("the socket was away while nodes sent pictures over it")


def _nothing(record: HistoryEntry, watch: TrackedPrompt) -> Exception:
    """A success without any output, which no task is."""
    if not watch.graph.ends.isdisjoint(record.cached):
        return RetryWithFreshMemory("ComfyUI's cache had no outputs")
    why = watch.blocked or "give it a node that saves something, such as SaveImage"
    return TaskFailed(f"the graph ended without any output: {why}")


async def _fetched(
    files: Sequence[tuple[str, File]], cached: set[str], server: Server
) -> Mapping[File, Artifact]:
    places = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def fetch(node: str, file: File) -> Artifact:
        async with places:
            data = await server.client.view(file)
        if data is not None:
            return Artifact(data=data)
        gone = f"ComfyUI no longer has {file.name}, which it made"
        raise RetryWithFreshMemory(gone) if node in cached else RuntimeUnavailable(gone)

    made = await asyncio.gather(*(fetch(node, file) for node, file in files))
    return {file: artifact for (_, file), artifact in zip(files, made, strict=True)}
