"""What is known of a server that is ready: its checkpoints, its names, how it tells progress."""

import contextlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from deployments.adapter import RuntimeSpec
from deployments.backend.held_request import HeldRequest
from deployments.runtimes.sdwebui.checkpoints import Checkpoint, Checkpoints
from deployments.runtimes.sdwebui.faults import OutOfMemory
from deployments.runtimes.sdwebui.names import Names
from deployments.runtimes.sdwebui.progress import OWN, ProgressPoller
from deployments.runtimes.sdwebui.request import DRAWN, Request, request_of
from deployments.runtimes.sdwebui.server import API, Server
from deployments.runtimes.sdwebui.server_lock import ServerLock
from models.errors import SettingsError, TaskError, TaskFailed
from models.task import Task

_NAME = "force_task_id"

log = logging.getLogger("ray.serve.atelier.sdwebui")


@dataclass
class Session:
    """One server, for one task at a time."""

    spec: RuntimeSpec
    server: Server
    checkpoints: Checkpoints
    names: Names
    knows_tasks: bool
    """Whether it tells how far a generation is by the generation's own name."""
    own: Checkpoint | None
    """The runtime's; None where the server may keep what it has."""
    lock: ServerLock = field(default_factory=ServerLock)

    @classmethod
    async def opened(cls, spec: RuntimeSpec, server: Server) -> "Session":
        """A session with the runtime's checkpoint loaded.

        Raises:
            SettingsError: the server has no such checkpoint.
        """
        checkpoints = Checkpoints(server)
        own = await _own(spec, checkpoints)
        knows_tasks = await server.has(OWN, {"id_task": "", "live_preview": False})
        return cls(spec, server, checkpoints, Names(server), knows_tasks, own)

    async def wanted(self, asked: str | None) -> Checkpoint | None:
        """The checkpoint that a task gets: the one it asks for, or the runtime's own.

        Raises:
            TaskFailed: there is none of this name, or the runtime is bound to another.
        """
        wanted = await self.checkpoints.find(asked) if asked else self.own
        if wanted != self.own and not self.spec.dynamic:
            has = repr(self.own.title) if self.own else "no checkpoint of its own"
            raise TaskFailed(
                f"sd_model_checkpoint: runtime {self.spec.name} has {has} only, not {asked!r}: "
                "it is not set to load checkpoints on demand"
            )
        return wanted

    async def request(self, task: Task, inputs: Mapping[str, bytes]) -> Request:
        """The request that a task is, in the server's words.

        Raises:
            TaskFailed: it is none, or names what the server does not have.
        """
        request = await self.names.spelt(request_of(task, inputs))
        if not self._knows(request) or request.body.get(_NAME):
            return request
        return request.having(**{_NAME: f"task({uuid.uuid4().hex})"})

    def poller(self, request: Request, preview_every: float) -> ProgressPoller:
        """Who looks how far it is."""
        name = request.body[_NAME] if self._knows(request) else None
        return ProgressPoller(self.server, name, preview_every)

    async def generate(self, ahead: HeldRequest) -> httpx.Response:
        """The answer, begun; where memory is short, of a second try with more room.

        Raises:
            TaskFailed, RuntimeUnavailable: the server refused, or broke off.
        """
        try:
            return await ahead.answer()
        except OutOfMemory as exc:
            log.warning("out_of_memory", extra={"runtime": self.spec.name, "why": str(exc)})
        with contextlib.suppress(TaskError):
            await self.server.post(f"{API}/unload-checkpoint")
            await self.server.post(f"{API}/reload-checkpoint")
        return await ahead.again()

    def refuse_other(
        self, request: Request, wanted: Checkpoint | None, info: Mapping[str, Any]
    ) -> None:
        """Refuse an answer to another wish: the server tells what it drew with, not that it erred.

        Raises:
            TaskFailed: it drew with another checkpoint or sampler.
        """
        name = info.get("sd_model_name")
        if wanted and name and not wanted.is_called(name):
            self.checkpoints.current = None  # somebody else changed it
            raise TaskFailed(f"the server drew with the checkpoint {name!r}, not {wanted.title!r}")
        sampler = info.get("sampler_name")
        asked = request.body[request.sampler] if request.sampler else None
        if asked and sampler and asked.lower() != sampler.lower():
            raise TaskFailed(f"the server drew with the sampler {sampler!r}, not {asked!r}")

    def _knows(self, request: Request) -> bool:
        return self.knows_tasks and request.kind in DRAWN


async def _own(spec: RuntimeSpec, checkpoints: Checkpoints) -> Checkpoint | None:
    """The runtime's checkpoint, loaded; the server's where it has none and takes no other."""
    if spec.checkpoint is None:
        kept = None if spec.dynamic else await checkpoints.in_use()
        return await checkpoints.find(kept) if kept else None
    try:
        own = await checkpoints.find(spec.checkpoint)
        await checkpoints.use(own)
    except TaskFailed as exc:
        raise SettingsError(f"runtime {spec.name}: modelFilename: {exc}") from exc
    return own
