"""An adapter over a double of a test's own, graphs for it, and what came of a task."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter
from models.progress import Progress
from models.task import Kind, Task
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.sdwebui.serving import serving

Node = dict[str, Any]
RED, GREEN = 0xFF0000, 0x00FF00


@dataclass(frozen=True)
class Done:
    """What came of one task."""

    progress: list[Progress]
    pictures: list[bytes]
    body: dict[str, Any]

    @property
    def colours(self) -> list[Any]:
        return [colour(picture) for picture in self.pictures]


@asynccontextmanager
async def driving(comfyui: ComfyUi, **options: Any) -> AsyncIterator[ComfyUiAdapter]:
    """A ready adapter of this server."""
    async with serving(comfyui.app) as url, connected(url, **options) as adapter:
        yield adapter


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[ComfyUiAdapter]:
    """A ready adapter of the server there."""
    adapter = ComfyUiAdapter(RuntimeSpec(name="comfy", options={"backend": {"url": url}} | options))
    await adapter.ready()
    try:
        yield adapter
    finally:
        await adapter.close()


async def run(adapter: Adapter, task: Task, inputs: Mapping[str, bytes] | None = None) -> Done:
    await adapter.load(task)
    steps = [step async for step in adapter.run(task, inputs or {})]
    answer = steps[-1]
    assert isinstance(answer, Answer)
    return Done(
        [step for step in steps if isinstance(step, Progress)],
        [step.data for step in steps if isinstance(step, Artifact)],
        answer.body,
    )


def task(graph: Any, submission: str = "s1") -> Task:
    kind = Kind.PIPELINE
    return Task(submission=submission, id="t1", runtime="comfy", kind=kind, content=graph)


def node(class_type: str, **inputs: Any) -> Node:
    return {"class_type": class_type, "inputs": inputs}


def empty(color: int = RED, batch: int = 1) -> Node:
    return node("EmptyImage", width=16, height=16, batch_size=batch, color=color)


def picture(color: int = RED, batch: int = 1) -> dict[str, Node]:
    """EmptyImage, ImageScale, SaveImage."""
    scale = {"upscale_method": "lanczos", "width": 32, "height": 32, "crop": "disabled"}
    return {
        "1": empty(color, batch),
        "2": node("ImageScale", image=["1", 0], **scale),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }


def blurred(times: int) -> dict[str, Node]:
    """A graph that takes its time, and can be stopped between any two of its nodes."""
    blur = {"blur_radius": 10, "sigma": 3.0}
    chain = {
        f"blur{n}": node("ImageBlur", image=[f"blur{n - 1}" if n else "1", 0], **blur)
        for n in range(times)
    }
    save = node("SaveImage", images=[f"blur{times - 1}", 0], filename_prefix="x")
    return {"1": empty(), **chain, "save": save}


def sampled(steps: int) -> dict[str, Node]:
    """A node with steps and previews, as a sampler is one."""
    return {
        "1": empty(),
        "2": node("Slow", latent_image=["1", 0], steps=steps),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }


def saved(kind: str, file: str, data: bytes, more: int = 0) -> Node:
    """A node that writes these bytes, and so many zeros more."""
    return node("Save", kind=kind, file=file, hex=data.hex(), more=more)


def colour(png: bytes) -> Any:
    return Image.open(io.BytesIO(png)).convert("RGB").getpixel((0, 0))
