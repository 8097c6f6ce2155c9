"""ComfyUI at work: its process, its folders, and the ways to speak to it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from deployments.adapter import RuntimeSpec
from deployments.backend.process import Backend
from deployments.runtimes.comfyui.client import Client
from deployments.runtimes.comfyui.event_socket import EventSocket
from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.prompts import Prompts
from deployments.runtimes.comfyui.words import LONGEST_NAME
from deployments.runtimes.comfyui.workspace import Workspace, bucket_paths, merged
from models.errors import RuntimeUnavailable, TaskFailed
from models.runtimes.comfyui import Options
from models.runtimes.content import Fault, in_one_line, shown

log = logging.getLogger("ray.serve.atelier.comfyui")


@dataclass(frozen=True)
class Server:
    """ComfyUI that answers, and all that belongs to it."""

    backend: Backend
    client: Client
    events: EventSocket
    prompts: Prompts
    workspace: Workspace | None
    """Folders that it writes to; None if somebody else started it."""
    keep_mib: int
    """MiB that it may have written before it is renewed."""
    classes: set[str]
    """Node classes that it is known to have; it may have got more since."""

    async def check(self) -> None:
        """Raise if it is not to be used any more.

        Raises:
            RuntimeUnavailable: it has ended, is not heard any more, or was given up.
        """
        await self.backend.check()
        self.events.check()
        if self.prompts.broken:
            raise RuntimeUnavailable(self.prompts.broken)

    async def refuse_unknown_classes(self, graph: Graph) -> None:
        """Refuse a graph that has nodes of classes that ComfyUI lacks: it would tell but one.

        Raises:
            TaskFailed: naming each class, with its nodes.
            RuntimeUnavailable: it did not answer.
        """
        if graph.of_unknown_classes(self.classes):
            # One that somebody else runs may have been started anew, with more.
            self.classes.update(await self.client.classes())
        if unknown := graph.of_unknown_classes(self.classes):
            raise TaskFailed(in_one_line(list(_class_faults(unknown))))

    def is_bloated(self) -> bool:
        """Tell whether it holds too much memory, or wrote too much; blocks."""
        full = self.workspace is not None and self.workspace.mib() > self.keep_mib
        return full or self.backend.is_bloated()

    def clear(self, folder: str) -> None:
        """Remove the inputs of one task; ComfyUI itself has no request for that."""
        if self.workspace is not None:
            self.workspace.clear(folder)


@asynccontextmanager
async def serving(spec: RuntimeSpec, options: Options) -> AsyncIterator[Server]:
    """Start ComfyUI, or connect to one that runs; end it, with what it wrote, if we started it.

    Raises:
        RuntimeUnavailable: it did not get ready.
    """
    async with AsyncExitStack() as stack:
        workspace, process = None, options.backend
        if process.command:
            workspace = Workspace.made()
            # The stack is undone backwards: the folders go after the process that writes to them.
            stack.push_async_callback(asyncio.to_thread, workspace.remove)
            configured = {**options.model_paths, "custom_nodes": options.custom_nodes}
            paths = merged(configured, bucket_paths(spec.checkpoints))
            process = workspace.with_arguments(process, paths, previews=options.previews)
        backend = Backend(process, name=spec.name)
        # Said before the start: one that fails halfway leaves something to undo.
        stack.push_async_callback(backend.close)
        await backend.start()
        client, events = Client(backend.url), EventSocket(backend.url)
        stack.push_async_callback(client.close)
        await backend.ready(client.is_up)
        stack.push_async_callback(events.close)
        await events.open()
        log.info("comfyui_ready", extra={"version": await client.version()})
        prompts = Prompts(client, events, backend, options)
        classes = set(await client.classes())
        yield Server(backend, client, events, prompts, workspace, options.keep_mib, classes)


def _class_faults(unknown: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    for kind, nodes in unknown.items():
        of = f" (of {len(nodes)} nodes)" if len(nodes) > 1 else ""
        message = f"this ComfyUI has no class {shown(kind)}{of}; its pack of nodes is missing"
        yield Fault(f"{nodes[0][:LONGEST_NAME]}.class_type", message)
