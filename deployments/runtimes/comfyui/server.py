"""ComfyUI at work: its process, its folders, and the ways to speak to it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from deployments.adapter import RuntimeSpec
from deployments.backend.process import Backend
from deployments.runtimes.comfyui.client import Client
from deployments.runtimes.comfyui.event_socket import EventSocket
from deployments.runtimes.comfyui.prompts import Prompts
from deployments.runtimes.comfyui.workspace import Workspace, bucket_paths, merged
from models.errors import RuntimeUnavailable
from models.runtimes.comfyui import Options

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

    async def check(self) -> None:
        """Raise if it is not to be used any more.

        Raises:
            RuntimeUnavailable: it has ended, is not heard any more, or was given up.
        """
        await self.backend.check()
        self.events.check()
        if self.prompts.broken:
            raise RuntimeUnavailable(self.prompts.broken)

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
        yield Server(backend, client, events, prompts, workspace, options.keep_mib)
