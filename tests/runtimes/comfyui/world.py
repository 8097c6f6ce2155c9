"""An adapter over a double of a test's own, and graphs for it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from deployments.adapter import RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter
from models.task import Kind, Task
from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.world import at_work
from tests.serving import served

Node = dict[str, Any]
RED, GREEN = 0xFF0000, 0x00FF00


@asynccontextmanager
async def driving(comfyui: ComfyUi, **options: Any) -> AsyncIterator[ComfyUiAdapter]:
    """Make a ready adapter of this server."""
    async with served(comfyui.app) as url, connected(url, **options) as adapter:
        yield adapter


def connected(url: str, **options: Any) -> AbstractAsyncContextManager[ComfyUiAdapter]:
    """Make a ready adapter of the server there."""
    spec = RuntimeSpec(name="comfy", options={"backend": {"url": url}} | options)
    return at_work(ComfyUiAdapter(spec))


def task(graph: Any, submission: str = "s1") -> Task:
    kind = Kind.PIPELINE
    return Task(submission=submission, id="t1", runtime="comfy", kind=kind, content=graph)


def node(class_type: str, **inputs: Any) -> Node:
    return {"class_type": class_type, "inputs": inputs}


def empty(color: int = RED, batch: int = 1) -> Node:
    return node("EmptyImage", width=16, height=16, batch_size=batch, color=color)


def picture(color: int = RED, batch: int = 1) -> dict[str, Node]:
    """Make a graph of EmptyImage, ImageScale and SaveImage."""
    scale = {"upscale_method": "lanczos", "width": 32, "height": 32, "crop": "disabled"}
    return {
        "1": empty(color, batch),
        "2": node("ImageScale", image=["1", 0], **scale),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }


def blurred(times: int) -> dict[str, Node]:
    """Make a graph that takes its time, and can be stopped between any two of its nodes."""
    blur = {"blur_radius": 10, "sigma": 3.0}
    chain = {
        f"blur{n}": node("ImageBlur", image=[f"blur{n - 1}" if n else "1", 0], **blur)
        for n in range(times)
    }
    save = node("SaveImage", images=[f"blur{times - 1}", 0], filename_prefix="x")
    return {"1": empty(), **chain, "save": save}


def sampled(steps: int) -> dict[str, Node]:
    """Make a graph with a node that has steps and previews, as samplers have."""
    return {
        "1": empty(),
        "2": node("Slow", latent_image=["1", 0], steps=steps),
        "3": node("SaveImage", images=["2", 0], filename_prefix="x"),
    }


def saved(kind: str, file: str, data: bytes, more: int = 0) -> Node:
    """Make a node that writes these bytes, and so many zeros more."""
    return node("Save", kind=kind, file=file, hex=data.hex(), more=more)
