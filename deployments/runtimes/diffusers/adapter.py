"""The seam: tasks in, progress and pictures out. Light to import; all that is heavy is `Studio`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.inputs.fields import asked_checkpoint, image_links
from deployments.runtimes.diffusers.lane import Lane
from models.errors import RuntimeUnavailable, TaskFailed
from models.progress import Progress
from models.runtimes.diffusers import DIFFUSERS, Options
from models.task import Task

if TYPE_CHECKING:
    from deployments.runtimes.diffusers.studio import Studio


_WITHOUT_CHECKPOINT = "extra-"


class DiffusersAdapter(Adapter):
    """Stable Diffusion 1.x and SDXL in this process, asked for in the Web UI's words."""

    kinds = DIFFUSERS.kinds
    described = DIFFUSERS

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._options = self.read_options(Options)
        self._lane = Lane(f"diffusers-{spec.name}")
        self._studio: Studio | None = None

    async def ready(self) -> None:
        self._studio = await self._lane.call(self._opened)

    async def load(self, task: Task) -> None:
        studio, asked = self._ready_studio, asked_checkpoint(task.content)
        if asked or not task.kind.startswith(_WITHOUT_CHECKPOINT):
            await self._lane.call(lambda: studio.load(asked))
            self.checkpoint = studio.name

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        studio, done, answered = self._ready_studio, -1, False
        async with aclosing(self._lane.walk(lambda: studio.steps(task, inputs))) as steps:
            async for step in steps:
                match step:
                    case Progress() if step.step <= done:
                        continue  # a place to stop, nothing to tell
                    case Progress():
                        done = step.step
                    case Answer():
                        answered = True
                yield step
        if not answered:
            raise TaskFailed("the task was interrupted")

    async def interrupt(self) -> None:
        await self._lane.stop()

    def links(self, task: Task) -> Iterable[str]:
        """Also those of ``images``, a spelling of extra-batch-images that some clients use."""
        bare = task.content.get("images") if isinstance(task.content, dict) else None
        return [*super().links(task), *image_links({"imageList": bare})]

    async def check(self) -> None:
        if self._studio and self._studio.broken:
            raise RuntimeUnavailable("the GPU failed, and this process cannot use it any more")

    async def close(self) -> None:
        await self._lane.stop()
        if self._studio:
            await self._lane.call(self._studio.close)
        await self._lane.close()

    @property
    def _ready_studio(self) -> Studio:
        if self._studio is None:
            raise RuntimeError("ready() comes first")
        return self._studio

    def _opened(self) -> Studio:
        from deployments.runtimes.diffusers.studio import Studio  # noqa: PLC0415  # takes seconds

        studio = Studio(self.spec, self._options)
        studio.load(None)
        return studio
