"""The contract test's case of the type ``sdwebui``: a double, or what ``SDWEBUI`` names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.loopback import free_port
from models.task import Kind, Task
from tests.runtimes.cases import Case
from tests.runtimes.noise import ENLARGED, ENLARGED_BYTES, NOISE, noise
from tests.runtimes.sdwebui.real import options
from tests.runtimes.world import at_work, children, kill


def task(**content: Any) -> Task:
    small = {"width": 64, "height": 64, "steps": 5, "seed": 1, "sampler_name": "Euler"}
    return Task(
        submission="s1",
        id="t1",
        runtime="web",
        kind=Kind.TEXT_TO_IMAGE,
        content={"prompt": "a tram"} | small | content,
    )


async def checkpoints(port: int) -> tuple[str, ...]:
    async with httpx.AsyncClient() as client:
        found = (await client.get(f"http://127.0.0.1:{port}/sdapi/v1/sd-models")).json()
    return tuple(one["title"] for one in found)


NEEDS: dict[tuple[str, ...], Task] = {
    ("base", "refiner", "clear.pt", "ink", "ESRGAN_4x", "canny"): task(
        prompt="a tram <lora:ink:0.8>",
        refiner_checkpoint="refiner",
        enable_hr=True,
        hr_upscaler="ESRGAN_4x",
        override_settings={"sd_model_checkpoint": "base", "sd_vae": "clear.pt"},
        alwayson_scripts={"ControlNet": {"args": [{"model": "canny"}]}},
    ),
    ("ESRGAN_4x",): replace(
        task(), kind=Kind.EXTRA_SINGLE_IMAGE, content={"upscaler_1": "ESRGAN_4x"}
    ),
}


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    del folder
    before, port = children(), free_port(0, "server")
    spec = RuntimeSpec(name="web", dynamic=True, options=options(port=port))
    async with at_work(SdWebUiAdapter(spec)) as adapter:
        yield Case(
            adapter=adapter,
            picture=task(),
            pictures=task(batch_size=2, n_iter=2),
            count=4,
            refused=(task(sampler_name="no such sampler"),),
            missing=task(override_settings={"sd_model_checkpoint": "absent.safetensors"}),
            checkpoints=await checkpoints(port),
            needs=NEEDS,
            needs_none=task(),
            long=task(steps=150, n_iter=20),
            huge=replace(task(), kind=Kind.EXTRA_SINGLE_IMAGE, content=ENLARGED),
            huge_bytes=ENLARGED_BYTES,
            doomed=task(steps=150, n_iter=20),
            kill=partial(kill, before),
            last_words="SIGKILL",
            inputs={NOISE: noise()},
        )
