"""The contract test's case of the type ``fake``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deployments.adapter import RuntimeSpec
from deployments.runtimes.fake import FakeAdapter
from models.task import Kind, Task
from tests.runtimes.cases import Case
from tests.runtimes.world import at_work

CHECKPOINTS = ("first.safetensors", "second.safetensors")
LARGE = 2**18


def task(**content: Any) -> Task:
    kind = Kind.TEXT_TO_IMAGE
    return Task(submission="s1", id="t1", runtime="faked", kind=kind, content=content)


NEEDS: dict[tuple[str, ...], Task] = {
    ("first.safetensors",): task(checkpoint="first.safetensors"),
    ("first.safetensors", "ink"): task(
        prompt="a tram <lora:ink:0.8>",
        alwayson_scripts={"sd_model_checkpoint": "first.safetensors"},
    ),
}


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    gpu = {"gpuMs": 400, "steps": 20, "log": folder / "gpu.jsonl", "payloadBytes": LARGE}
    options = gpu | {"checkpoints": CHECKPOINTS}
    spec = RuntimeSpec(name="faked", dynamic=True, options=options)
    async with at_work(FakeAdapter(spec)) as adapter:
        yield Case(
            adapter=adapter,
            picture=task(prompt="a tram"),
            pictures=task(prompt="a tram", batch_size=2, n_iter=2),
            count=4,
            refused=(task(batch_size="two"), task(batch_size=101)),
            missing=task(override_settings={"sd_model_checkpoint": "third.safetensors"}),
            checkpoints=CHECKPOINTS,
            needs=NEEDS,
            needs_none=task(prompt="a tram"),
            long=task(prompt="a tram"),
            huge=task(prompt="a tram", batch_size=100),
            huge_bytes=100 * LARGE,
            doomed=task(vanish=True),
            kill=lambda: None,  # it ends by itself
            last_words="vanished",
        )
