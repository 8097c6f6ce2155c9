"""The contract test's case of the type ``sdwebui``: over a double, or the server ``SDWEBUI`` names.

``SDWEBUI=http://127.0.0.1:7860 pytest tests/contracts/test_runtimes.py -k sdwebui``
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.task import Kind, Task
from tests.runtimes.cases import Case
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.serving import serving

REAL = os.environ.get("SDWEBUI")


def task(**content: Any) -> Task:
    small = {"width": 64, "height": 64, "steps": 5, "seed": 1, "sampler_name": "Euler"}
    return Task(
        submission="s1",
        id="t1",
        runtime="web",
        kind=Kind.TEXT_TO_IMAGE,
        content={"prompt": "a tram"} | small | content,
    )


async def checkpoints(url: str) -> tuple[str, ...]:
    async with httpx.AsyncClient(base_url=url) as client:
        found = (await client.get("/sdapi/v1/sd-models")).json()
    return tuple(one["title"] for one in found)


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    async with nullcontext(REAL) if REAL else serving(WebUi().app) as url:
        options = {"backend": {"url": url}, "progressEvery": 0.05}
        adapter = SdWebUiAdapter(RuntimeSpec(name="web", dynamic=True, options=options))
        await adapter.ready()
        yield Case(
            adapter=adapter,
            picture=task(),
            pictures=task(batch_size=2, n_iter=2),
            count=4,
            refused=task(sampler_name="no such sampler"),
            missing=task(override_settings={"sd_model_checkpoint": "absent.safetensors"}),
            checkpoints=await checkpoints(url),
            long=task(steps=150, n_iter=20),
        )
        await adapter.close()
