"""The seam: graphs in, progress, artifacts and the answer out."""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from deployments.adapter import Adapter, Answer, Artifact, Begun, RuntimeSpec
from deployments.backend.warm_up import warm_up
from deployments.media_types import sniff
from deployments.runtimes.comfyui.faults import RetryWithFreshMemory
from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.graph_progress import GraphProgress
from deployments.runtimes.comfyui.loaders import weights_files
from deployments.runtimes.comfyui.outcome import outcome
from deployments.runtimes.comfyui.outputs import artifacts
from deployments.runtimes.comfyui.server import Server, serving
from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from models.errors import RuntimeUnavailable, TaskFailed
from models.progress import Progress
from models.runtimes.comfyui import COMFYUI, Options
from models.task import Kind, Task

log = logging.getLogger("ray.serve.atelier.comfyui")


class ComfyUiAdapter(Adapter):
    """Runs graphs on ComfyUI, one at a time.

    A run that is closed or cancelled stops its own prompt before it returns, so there is nothing
    left for `interrupt`: what runs then may be the next task's.
    """

    kinds = COMFYUI.kinds
    described = COMFYUI
    slots = 2
    """One on the GPU; the other has its inputs sent, or its outputs fetched."""

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._options = self.read_options(Options)
        self._server: Server | None = None
        self._opened = AsyncExitStack()

    async def ready(self) -> None:
        async with AsyncExitStack() as stack:
            self._server = await stack.enter_async_context(serving(self.spec, self._options))
            await warm_up(self, Kind.PIPELINE, self._options.warm_up)
            self._opened = stack.pop_all()

    async def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        graph, folder = self._graph(task), _folder(task.submission)
        try:
            names = await self._uploaded(graph, folder, inputs)
            async with aclosing(self._tried(graph.with_files(names))) as steps:
                async for step in steps:
                    yield step
        finally:
            if graph.links:
                await asyncio.to_thread(self._at_work.clear, folder)

    def links(self, task: Task) -> Iterable[str]:
        """Those that stand where a node takes the name of a file."""
        return self._graph(task).links

    def checkpoints(self, task: Task) -> Sequence[str]:
        """List the files that the graph's nodes load, in their order."""
        bound = self.spec.checkpoint
        return weights_files(task.content) or ([bound] if bound else [])

    async def check(self) -> None:
        if self._server is not None:
            self._server.check()

    def is_bloated(self) -> bool:
        return self._server is not None and self._server.is_bloated()

    async def close(self) -> None:
        await self._opened.aclose()

    @property
    def _at_work(self) -> Server:
        if self._server is None:
            raise RuntimeError("ready() comes first")
        return self._server

    def _graph(self, task: Task) -> Graph:
        return Graph.read(task.content, self._options.allow_nodes)

    async def _uploaded(
        self, graph: Graph, folder: str, inputs: Mapping[str, bytes]
    ) -> Mapping[str, str]:
        """Put what is behind the links into ComfyUI's folder of inputs; the names there."""
        names = {}
        for number, link in enumerate(graph.links, start=1):
            if link not in inputs:
                raise TaskFailed(f"link {number} of the graph has no input")
            name = f"{number}{sniff(inputs[link]).extension}"
            names[link] = await self._at_work.client.upload(name, folder, inputs[link])
        return names

    async def _tried(
        self, graph: Graph
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        """Run the graph; once more with memory and caches dropped where that may end better."""
        course = GraphProgress(graph.weights)
        for again in (False, True):
            watch = TrackedPrompt(graph, course)
            async with aclosing(self._at_work.prompts.run(watch, fresh=again)) as steps:
                async for step in steps:
                    if isinstance(step, Begun):
                        self._at_work.check()
                    yield step
            answer = await self._answer(watch, last=again)
            if answer is not None:
                for told in _told(answer, watch):
                    yield told
                return

    async def _answer(self, watch: TrackedPrompt, *, last: bool) -> Mapping[str, Any] | None:
        """What the prompt gave; None where it is to be run again."""
        try:
            return await outcome(watch, self._at_work)
        except RetryWithFreshMemory as exc:
            if last:
                raise RuntimeUnavailable(str(exc)) from exc
            log.warning("comfyui_once_more", extra={"prompt": watch.prompt, "why": str(exc)})
            return None


def _told(
    answer: Mapping[str, Any], watch: TrackedPrompt
) -> Iterator[Progress | Artifact | Answer]:
    watch.course.finish()
    if progress := watch.told(previews=False):
        yield progress
    yield from artifacts(answer)
    # "code" is all that the reference's answer to a graph holds.
    yield Answer(body={"code": 200, "prompt_id": watch.prompt, "outputs": answer})


def _folder(submission: str) -> str:
    """A name for the folder of a submission's inputs: its own, where that is one."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", submission):
        return submission
    return hashlib.sha256(submission.encode()).hexdigest()
