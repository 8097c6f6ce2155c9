"""The contract test's case of the type ``fake``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deployments.adapter import RuntimeSpec
from deployments.runtimes.fake import FakeAdapter
from models.task import Kind, Task
from tests.runtimes.cases import Case

CHECKPOINTS = ("first.safetensors", "second.safetensors")


def task(**content: Any) -> Task:
    kind = Kind.TEXT_TO_IMAGE
    return Task(submission="s1", id="t1", runtime="faked", kind=kind, content=content)


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    options = {"gpuMs": 400, "steps": 20, "log": folder / "gpu.jsonl", "checkpoints": CHECKPOINTS}
    adapter = FakeAdapter(RuntimeSpec(name="faked", dynamic=True, options=options))
    await adapter.ready()
    yield Case(
        adapter=adapter,
        picture=task(prompt="a tram"),
        pictures=task(prompt="a tram", batch_size=2, n_iter=2),
        count=4,
        refused=task(batch_size="two"),
        missing=task(override_settings={"sd_model_checkpoint": "third.safetensors"}),
        checkpoints=CHECKPOINTS,
        long=task(prompt="a tram"),
    )
    await adapter.close()
