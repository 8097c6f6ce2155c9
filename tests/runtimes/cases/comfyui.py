"""The contract test's case of the type ``comfyui``: a double, or what ``COMFYUI`` names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from deployments.adapter import RuntimeSpec
from deployments.runtimes.comfyui import ComfyUiAdapter
from models.task import Task
from tests.runtimes.cases import Case
from tests.runtimes.comfyui.real import CHECKPOINT, options
from tests.runtimes.comfyui.world import empty, node, picture, sampled, saved, task
from tests.runtimes.world import at_work, children, kill

PNG = b"\x89PNG\r\n\x1a\n"
LARGE = 64 * 2**20


def pictures(*colours: int) -> dict[str, Any]:
    """Make a graph of a node for each colour, and one that saves it."""
    graph = {}
    for number, colour in enumerate(colours):
        graph[f"{number}"] = empty(colour)
        save = node("SaveImage", images=[f"{number}", 0], filename_prefix=f"{number}")
        graph[f"{number} saved"] = save
    return graph


NEEDS: dict[tuple[str, ...], Task] = {
    ("base.safetensors", "ink.safetensors", "clear.pt", "canny.pth", "4x.pth"): task(
        {
            "1": node("CheckpointLoaderSimple", ckpt_name="base.safetensors"),
            "2": node("LoraLoader", model=["1", 0], lora_name="ink.safetensors"),
            "3": node("VAELoader", vae_name="clear.pt"),
            "4": node("ControlNetLoader", control_net_name="canny.pth"),
            "5": node("UpscaleModelLoader", model_name="4x.pth"),
        }
    ),
    ("flux.sft", "l.safetensors", "t5.safetensors", "style.pt", "box.pth"): task(
        {
            "1": node("UNETLoader", unet_name="flux.sft", weight_dtype="default"),
            "2": node("DualCLIPLoader", clip_name1="l.safetensors", clip_name2="t5.safetensors"),
            "3": node("StyleModelLoader", style_model_name="style.pt"),
            "4": node("GLIGENLoader", gligen_name="box.pth"),
        }
    ),
}


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    before = children()
    wrong = node("EmptyImage", width=0, height=16, batch_size=1, color=0)
    loader = node("CheckpointLoaderSimple", ckpt_name="absent.safetensors")
    large = {"large": saved("images", "large.png", PNG, LARGE)}
    spec = RuntimeSpec(name="comfy", options=options(folder))
    async with at_work(ComfyUiAdapter(spec)) as adapter:
        yield Case(
            adapter=adapter,
            picture=task(picture()),
            pictures=task(pictures(0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF)),
            count=4,
            refused=(task(picture() | {"1": wrong}),),
            missing=task({"1": loader, "2": node("PreviewAny", source=["1", 0])}),
            checkpoints=(CHECKPOINT,),
            needs=NEEDS,
            needs_none=task(picture()),
            long=task(sampled(2_000)),
            huge=task(picture(batch=100) | large),
            huge_bytes=LARGE,
            doomed=task(sampled(2_000)),
            kill=partial(kill, before),
            last_words="SIGKILL",
        )
