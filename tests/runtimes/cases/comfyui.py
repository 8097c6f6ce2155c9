"""The contract test's case of the type ``comfyui``: a double, or what ``COMFYUI`` names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deployments.adapter import RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter
from tests.runtimes.cases import Case
from tests.runtimes.comfyui.real import CHECKPOINT, options
from tests.runtimes.comfyui.world import empty, node, picture, sampled, task


def pictures(*colours: int) -> dict[str, Any]:
    """One node for each colour, and one that saves it."""
    graph = {}
    for number, colour in enumerate(colours):
        graph[f"{number}"] = empty(colour)
        save = node("SaveImage", images=[f"{number}", 0], filename_prefix=f"{number}")
        graph[f"{number} saved"] = save
    return graph


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    adapter = ComfyUiAdapter(RuntimeSpec(name="comfy", options=options(folder)))
    await adapter.ready()
    wrong = node("EmptyImage", width=0, height=16, batch_size=1, color=0)
    loader = node("CheckpointLoaderSimple", ckpt_name="absent.safetensors")
    yield Case(
        adapter=adapter,
        picture=task(picture()),
        pictures=task(pictures(0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF)),
        count=4,
        refused=task({"1": wrong, "2": node("SaveImage", images=["1", 0], filename_prefix="x")}),
        missing=task({"1": loader, "2": node("PreviewAny", source=["1", 0])}),
        checkpoints=(CHECKPOINT,),
        long=task(sampled(2_000)),
    )
    await adapter.close()
