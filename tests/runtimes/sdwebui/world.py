"""An adapter over a server of a test's own, and tasks for it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from PIL import Image

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.task import Kind, Task
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.world import at_work
from tests.serving import served

LONG: dict[str, Any] = {"steps": 150, "n_iter": 20}


@asynccontextmanager
async def driving(
    web_ui: WebUi, *, dynamic: bool = True, checkpoint: str | None = None, **options: Any
) -> AsyncIterator[SdWebUiAdapter]:
    """Make a ready adapter of this server."""
    async with served(web_ui.app) as url:
        options = {"backend": {"url": url}, "progressEvery": 0.02, "previewEvery": 0} | options
        spec = RuntimeSpec(name="web", dynamic=dynamic, checkpoint=checkpoint, options=options)
        async with at_work(SdWebUiAdapter(spec)) as adapter:
            yield adapter


def task(kind: str = Kind.TEXT_TO_IMAGE, **content: Any) -> Task:
    if not kind.startswith("extra-"):
        content = {"prompt": "a tram", "steps": 3, "seed": 1} | content
    return Task(submission="s1", id="t1", runtime="web", kind=kind, content=content)


def png(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()
