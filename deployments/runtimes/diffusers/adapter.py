"""Adapter of ``diffusers``; light to import: `CheckpointPool` has all that is heavy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from deployments.adapter import Adapter, Answer, Artifact, RuntimeSpec
from deployments.checkpoints import needs_checkpoint, requested_checkpoint
from deployments.inputs.fields import image_links, inline_pictures
from deployments.runtimes.diffusers.worker_thread import WorkerThread
from models.errors import RuntimeUnavailable, TaskFailed
from models.report import Progress
from models.runtimes.diffusers import DIFFUSERS, Options
from models.task import Task

if TYPE_CHECKING:
    from deployments.runtimes.diffusers.checkpoint_pool import CheckpointPool


class DiffusersAdapter(Adapter):
    """Stable Diffusion 1.x and SDXL in this process, asked for in the Web UI's words.

    Its process cannot use a GPU any more that failed once; `check` tells so.
    """

    kinds = DIFFUSERS.kinds
    described = DIFFUSERS

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._options = self.read_options(Options)
        self._worker = WorkerThread(f"diffusers-{spec.name}")
        self._pool: CheckpointPool | None = None

    async def ready(self) -> None:
        self._pool = await self._worker.call(self._open_pool)

    async def load(self, task: Task) -> None:
        pool, requested = self._ready_pool, requested_checkpoint(task.content)
        if requested or needs_checkpoint(task.kind):
            await self._worker.call(lambda: pool.load(requested))
            self.checkpoint = pool.name

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Artifact | Answer, None]:
        pool, newest, answered = self._ready_pool, -1, False
        async with aclosing(self._worker.iterate(lambda: pool.steps(task, inputs))) as steps:
            async for step in steps:
                match step:
                    case Progress() if step.step <= newest:
                        continue  # a point to stop at, no news
                    case Progress():
                        newest = step.step
                    case Answer():
                        answered = True
                yield step
        if not answered:
            raise TaskFailed("the task was interrupted")

    async def interrupt(self) -> None:
        await self._worker.stop()

    def links(self, task: Task) -> Iterable[str]:
        """List the links, also those in ``images``, which some clients send for ``imageList``."""
        return [*super().links(task), *image_links(_bare_list(task))]

    def pictures(self, task: Task) -> Mapping[str, str]:
        return {**inline_pictures(_bare_list(task)), **super().pictures(task)}

    async def check(self) -> None:
        if self._pool and self._pool.broken:
            raise RuntimeUnavailable("the GPU failed, and this process cannot use it any more")

    async def close(self) -> None:
        # First: there is one thread, and the close would wait in it for the task's end.
        await self._worker.stop()
        if self._pool:
            await self._worker.call(self._pool.close)
        await self._worker.close()

    @property
    def _ready_pool(self) -> CheckpointPool:
        if self._pool is None:
            raise RuntimeError("ready() comes first")
        return self._pool

    def _open_pool(self) -> CheckpointPool:
        from deployments.runtimes.diffusers import checkpoint_pool  # noqa: PLC0415  # takes seconds

        pool = checkpoint_pool.CheckpointPool(self.spec, self._options)
        pool.load(None)
        return pool


def _bare_list(task: Task) -> Mapping[str, Any]:
    """Take the pictures in ``images``, which some clients send for ``imageList``."""
    images = task.content.get("images") if isinstance(task.content, dict) else None
    return {"imageList": images}
