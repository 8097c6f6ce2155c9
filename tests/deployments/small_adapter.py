"""An adapter of `small_backend`, for tests of what stands around any backend."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.backend.process import Backend
from deployments.backend.warm_up import warm_up
from models.errors import RuntimeUnavailable
from models.report import Progress
from models.runtimes.backend import ServedOptions
from models.task import Kind, Task

BACKEND = Path(__file__).with_name("small_backend.py")


def options(**process: Any) -> dict[str, Any]:
    command = (sys.executable, "-S", str(BACKEND), "{port}")
    return {"backend": {"command": command, **process}}


class SmallAdapter(Adapter):
    """A task's content is ``{"get": path, "seconds": of the run}``."""

    kinds = frozenset(Kind)

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self.options = self.read_options(ServedOptions)
        self.backend = Backend(self.options.backend, name=spec.name)
        self.client = httpx.AsyncClient()

    async def ready(self) -> None:
        await self.backend.start()
        await self.backend.ready(self._answers)
        await warm_up(self, Kind.TEXT_TO_IMAGE, self.options.warm_up)

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        yield Progress(step=1, of=1)
        try:
            said = await self.client.get(self.backend.url + task.content.get("get", "/"))
        except httpx.TransportError as exc:
            raise RuntimeUnavailable(str(exc)) from exc
        await asyncio.sleep(task.content.get("seconds", 0))
        picture = Artifact(data=_png())
        yield picture
        yield Answer(body={"images": [picture], "backend": int(said.text)})

    async def check(self) -> None:
        await self.backend.check()

    def is_bloated(self) -> bool:
        return self.backend.is_bloated()

    async def close(self) -> None:
        await self.client.aclose()
        await self.backend.close()

    async def _answers(self) -> bool:
        return (await self.client.get(self.backend.url)).is_success


def _png() -> bytes:
    png = BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")
    return png.getvalue()
