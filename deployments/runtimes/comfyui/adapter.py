"""Adapter of ``comfyui``: graphs in; progress, artifacts and the answer out."""

import asyncio
import hashlib
import logging
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

from deployments.adapter import Adapter, Answer, Artifact, Begun, RuntimeSpec, Step
from deployments.backend.warm_up import warm_up
from deployments.inputs.pictures import inline_bytes
from deployments.media_types import sniff
from deployments.runtimes.comfyui.faults import RetryWithFreshMemory
from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.graph_progress import GraphProgress
from deployments.runtimes.comfyui.loaders import weights_files
from deployments.runtimes.comfyui.outcome import outcome
from deployments.runtimes.comfyui.outputs import artifacts, file_names
from deployments.runtimes.comfyui.server import Server, serving
from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from models.errors import RuntimeUnavailable, TaskFailed
from models.report import Progress
from models.runtimes.comfyui import COMFYUI, Options
from models.task import Kind, Task

log = logging.getLogger("ray.serve.atelier.comfyui")


class ComfyUiAdapter(Adapter):
    """Runs graphs on ComfyUI, one at a time.

    A run that is closed or cancelled stops its own prompt before it returns, so `interrupt` has
    nothing to stop: what runs then may be the next task's.
    """

    kinds = COMFYUI.kinds
    described = COMFYUI
    slots = 2
    """Tasks in `run`: one on the GPU; the other has its inputs sent, or its outputs fetched."""

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._options = self.read_options(Options)
        self._server: Server | None = None
        self._stack = AsyncExitStack()

    async def ready(self) -> None:
        async with AsyncExitStack() as stack:
            self._server = await stack.enter_async_context(serving(self.spec, self._options))
            await warm_up(self, Kind.PIPELINE, self._options.warm_up)
            self._stack = stack.pop_all()  # kept open only if all of it went well

    async def run(self, task: Task, inputs: Mapping[str, bytes]) -> AsyncGenerator[Step, None]:
        graph, folder = self._graph(task), _folder(task.submission)
        try:
            await self._ready_server.refuse_unknown_classes(graph)
            names = await self._uploaded(graph, folder, inputs)
            async with aclosing(self._tried(graph.with_files(names))) as steps:
                async for step in steps:
                    yield step
        finally:
            if graph.links or graph.pictures:
                await asyncio.to_thread(self._ready_server.clear, folder)

    def links(self, task: Task) -> Iterable[str]:
        """List the links that stand where a node takes the name of a file.

        Raises:
            TaskFailed: the content is no graph.
        """
        return self._graph(task).links

    def pictures(self, task: Task) -> Mapping[str, str]:
        """Find the files in base64 that stand where a node takes the name of one.

        Raises:
            TaskFailed: the content is no graph.
        """
        return self._graph(task).pictures

    def checkpoints(self, task: Task) -> Sequence[str]:
        """List the files that the graph's nodes load, in the nodes' order."""
        bound = self.spec.checkpoint
        return weights_files(task.content) or ([bound] if bound else [])

    async def check(self) -> None:
        if self._server is not None:
            await self._server.check()

    def is_bloated(self) -> bool:
        return self._server is not None and self._server.is_bloated()

    async def close(self) -> None:
        await self._stack.aclose()

    @property
    def _ready_server(self) -> Server:
        if self._server is None:
            raise RuntimeError("ready() comes first")
        return self._server

    def _graph(self, task: Task) -> Graph:
        return Graph.read(task.content, self._options.allow_nodes, self._options.allow_files)

    async def _uploaded(
        self, graph: Graph, folder: str, inputs: Mapping[str, bytes]
    ) -> Mapping[str, str]:
        """Upload the graph's own files; return the names by which ComfyUI finds them.

        They stand under the link, or under the text that holds the file.
        """
        names = {}
        for number, text in enumerate([*graph.links, *graph.pictures], start=1):
            if text in inputs:
                data = inputs[text]
            elif text in graph.pictures:
                data = inline_bytes(text)
            else:
                raise TaskFailed(f"link {number} of the graph has no input")
            # A name of ours: one from the link could lead out of the folder.
            name = f"{number}{sniff(data).extension}"
            names[text] = await self._ready_server.client.upload(name, folder, data)
        return names

    async def _tried(self, graph: Graph) -> AsyncGenerator[Step, None]:
        """Run the graph; once more with memory and caches dropped if that may end better."""
        # One for both tries: what was told must not fall back.
        progress = GraphProgress(graph.weights)
        for is_last in (False, True):
            prompt = TrackedPrompt(graph, progress)
            async with aclosing(self._ready_server.prompts.run(prompt, fresh=is_last)) as steps:
                async for step in steps:
                    if isinstance(step, Begun):
                        # The prompt before may have broken it meanwhile.
                        await self._ready_server.check()
                    yield step
            outputs = await self._outputs(prompt, is_last=is_last)
            if outputs is not None:
                for output in _final_steps(outputs, prompt):
                    yield output
                return

    async def _outputs(self, prompt: TrackedPrompt, *, is_last: bool) -> Mapping[str, Any] | None:
        """Return the prompt's outputs by node; None if it is to be run again."""
        try:
            return await outcome(prompt, self._ready_server)
        except RetryWithFreshMemory as exc:
            if is_last:
                raise RuntimeUnavailable(str(exc)) from exc
            log.warning("comfyui_once_more", extra={"prompt": prompt.id, "why": str(exc)})
            return None


def _final_steps(
    outputs: Mapping[str, Any], prompt: TrackedPrompt
) -> Iterator[Progress | Artifact | Answer]:
    prompt.progress.finish()
    if progress := prompt.advance(previews=False):
        yield progress
    for _, artifact in artifacts(outputs):
        yield artifact
    # The reference's answer to a graph holds "code" and nothing else.
    body = {"code": 200, "prompt_id": prompt.id, "outputs": outputs}
    yield Answer(body=body | {"files": file_names(outputs)})


def _folder(submission: str) -> str:
    """Name the folder of a submission's inputs: the submission, or its hash if that is no name."""
    # One segment of a path: no separator and no dot, so neither another folder nor a hidden one.
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", submission):
        return submission
    return hashlib.sha256(submission.encode()).hexdigest()
