"""Results of tasks that an adapter ran, and the backends that adapters start."""

import io
import os
from collections.abc import AsyncIterator, Mapping, Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from PIL import Image

from deployments.adapter import Adapter, Answer, Artifact, Step
from models.report import Progress
from models.task import Task

AnyAdapter = TypeVar("AnyAdapter", bound=Adapter)


@dataclass(frozen=True)
class Done:
    """Results of one task."""

    progress: list[Progress]
    artifacts: list[Artifact]
    body: dict[str, Any]

    @property
    def pictures(self) -> list[bytes]:
        return [artifact.data for artifact in self.artifacts]

    @property
    def colours(self) -> list[Any]:
        return [colour(picture) for picture in self.pictures]


def colour(picture: bytes) -> Any:
    """Return the colour of a plain picture."""
    return Image.open(io.BytesIO(picture)).convert("RGB").getpixel((0, 0))


async def run(adapter: Adapter, task: Task, inputs: Mapping[str, bytes] | None = None) -> Done:
    await adapter.load(task)
    steps = [step async for step in adapter.run(task, inputs or {})]
    answer = steps[-1]
    assert isinstance(answer, Answer)
    return Done(
        [step for step in steps if isinstance(step, Progress)],
        [step for step in steps if isinstance(step, Artifact)],
        answer.body,
    )


async def progress(steps: AsyncIterator[Step]) -> Progress:
    """Return the next progress."""
    async for step in steps:
        if isinstance(step, Progress):
            return step
    raise AssertionError("it has ended")


@asynccontextmanager
async def at_work(adapter: AnyAdapter) -> AsyncIterator[AnyAdapter]:
    """Make an adapter ready, and close it in the end, also if it did not get ready."""
    try:
        await adapter.ready()
        yield adapter
    finally:
        await adapter.close()


def children() -> set[psutil.Process]:
    """Find all processes below this one."""
    return set(psutil.Process().children(recursive=True))


def backends(since: AbstractSet[psutil.Process] = frozenset()) -> set[psutil.Process]:
    """Find backends started since then, without their `deployments.backend.supervisor`."""
    return {one for one in children() - since if "-I" not in one.cmdline()}


def kill(since: AbstractSet[psutil.Process] = frozenset()) -> None:
    for backend in backends(since):
        backend.kill()


def python_of(folder: Path, variable: str) -> str:
    """Find the Python of a program's own environment, unless a variable of ours names another."""
    places = (folder / venv / "bin" / "python" for venv in ("venv", ".venv"))
    found = (str(python) for python in places if python.exists())
    return os.environ.get(variable) or next(found, "python3")
