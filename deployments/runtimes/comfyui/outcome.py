"""Outcome of a prompt that has ended: its outputs, or whose fault it is that there are none."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deployments.adapter import Artifact
from deployments.device_fault import DeviceFault
from deployments.runtimes.comfyui.client import File
from deployments.runtimes.comfyui.faults import (
    RetryWithFreshMemory,
    failed,
    fault_of,
    log_failure,
)
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from deployments.runtimes.comfyui.outputs import Outputs
from deployments.runtimes.comfyui.server import Server
from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from deployments.runtimes.comfyui.words import brief
from models.errors import RuntimeUnavailable, TaskFailed

_FETCHED_AT_ONCE = 4


async def outcome(prompt: TrackedPrompt, server: Server) -> dict[str, Any]:
    """Collect the nodes' outputs, by node and kind, with an artifact for each file.

    Raises:
        TaskFailed: the graph failed, or gave nothing.
        RuntimeUnavailable: it was interrupted from outside, or the device failed.
        RetryWithFreshMemory: it may end better with memory and caches dropped.
    """
    entry = await server.prompts.history(prompt)
    # ComfyUI keeps 10,000 entries in memory, each with its graph; one too many fails no task.
    with suppress(RuntimeUnavailable):
        await server.client.forget(prompt.id)
    _judge(entry, prompt, server)
    outputs = Outputs.of(entry.outputs, prompt.node_images, prompt.graph)
    if outputs.is_empty:
        raise _nothing(entry, prompt)
    return outputs.answer(await _fetched(outputs.files, entry.cached, server))


def _judge(entry: HistoryEntry, prompt: TrackedPrompt, server: Server) -> None:
    """Raise if the prompt did not succeed."""
    if entry.error:
        log_failure(entry.error, prompt.id)
        failure = failed(entry.error, prompt.graph)
        fault = fault_of(entry.error)
        if fault is DeviceFault.MEMORY:
            raise RetryWithFreshMemory(str(failure))
        if fault is DeviceFault.DEVICE:
            server.prompts.give_up(str(failure))
            raise RuntimeUnavailable(str(failure))
        raise failure
    # Before the status, which is a failure's here, too.
    if entry.is_interrupted:  # by somebody else: a stopped run of ours asks no outcome
        raise RuntimeUnavailable("somebody else interrupted ComfyUI")
    if entry.is_failed:
        raise TaskFailed("ComfyUI says that the graph failed, and not why")
    if prompt.is_incomplete:
        raise RetryWithFreshMemory("the socket was away while nodes sent pictures over it")


def _nothing(entry: HistoryEntry, prompt: TrackedPrompt) -> Exception:
    """Make the error for a success without any output, which no task may be."""
    if not prompt.graph.outputs.isdisjoint(entry.cached):
        return RetryWithFreshMemory("ComfyUI's cache had no outputs")
    why = brief(prompt.refusal or "") or "give it a node that saves something, such as SaveImage"
    return TaskFailed(f"the graph ended without any output: {why}")


async def _fetched(
    files: Sequence[tuple[str, File]], cached: set[str], server: Server
) -> Mapping[File, Artifact]:
    slots = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def fetch(node: str, file: File) -> Artifact:
        async with slots:
            data = await server.client.view(file)
        if data is not None:
            return Artifact(data=data, name="/".join(filter(None, (file.folder, file.name))))
        gone = f"ComfyUI no longer has {file.name}, which it made"
        raise RetryWithFreshMemory(gone) if node in cached else RuntimeUnavailable(gone)

    fetched = await asyncio.gather(*(fetch(node, file) for node, file in files))
    return {file: artifact for (_, file), artifact in zip(files, fetched, strict=True)}
