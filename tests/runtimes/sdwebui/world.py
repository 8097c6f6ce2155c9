"""An adapter over a server of a test's own, and what came of a task."""

import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.progress import Progress
from models.task import Kind, Task
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.serving import serving

LONG: dict[str, Any] = {"steps": 150, "n_iter": 20}


@dataclass(frozen=True)
class Done:
    """What came of one task."""

    progress: list[Progress]
    pictures: list[bytes]
    body: dict[str, Any]

    @property
    def colours(self) -> list[Any]:
        images = [Image.open(io.BytesIO(picture)) for picture in self.pictures]
        return [image.getpixel((0, 0)) for image in images]


@asynccontextmanager
async def driving(
    web_ui: WebUi, *, dynamic: bool = True, checkpoint: str | None = None, **options: Any
) -> AsyncIterator[SdWebUiAdapter]:
    """A ready adapter of this server."""
    async with serving(web_ui.app) as url:
        options = {"backend": {"url": url}, "progressEvery": 0.02, "previewEvery": 0} | options
        spec = RuntimeSpec(name="web", dynamic=dynamic, checkpoint=checkpoint, options=options)
        adapter = SdWebUiAdapter(spec)
        try:
            await adapter.ready()
            yield adapter
        finally:
            await adapter.close()


def task(kind: str = Kind.TEXT_TO_IMAGE, **content: Any) -> Task:
    if not kind.startswith("extra-"):
        content = {"prompt": "a tram", "steps": 3, "seed": 1} | content
    return Task(submission="s1", id="t1", runtime="web", kind=kind, content=content)


async def run(adapter: Adapter, one: Task, inputs: Mapping[str, bytes] | None = None) -> Done:
    await adapter.load(one)
    steps = [step async for step in adapter.run(one, inputs or {})]
    answer = steps[-1]
    assert isinstance(answer, Answer)
    return Done(
        [step for step in steps if isinstance(step, Progress)],
        [step.data for step in steps if isinstance(step, Artifact)],
        answer.body,
    )


def png(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()
