"""Session with a server that is ready: its checkpoints, its names, how it tells progress."""

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
from deployments.runtimes.sdwebui.progress import TASK_PROGRESS, ProgressPoller
from deployments.runtimes.sdwebui.request import CHECKPOINT_KINDS, Request, request_of
from deployments.runtimes.sdwebui.server import API, Server
from deployments.runtimes.sdwebui.server_lock import ServerLock
from models.errors import SettingsError, TaskError, TaskFailed
from models.task import Task

_TASK_NAME = "force_task_id"

log = logging.getLogger("ray.serve.atelier.sdwebui")


@dataclass
class Session:
    """Session with one server, for one task at a time."""

    spec: RuntimeSpec
    server: Server
    checkpoints: Checkpoints
    names: Names
    knows_tasks: bool
    """`True` if the server tells a generation's progress by the generation's own name."""
    own: Checkpoint | None
    """Checkpoint of the runtime; None if the server may keep the one that it has."""
    lock: ServerLock = field(default_factory=ServerLock)
    """Held by the task that the server draws."""

    @classmethod
    async def opened(cls, spec: RuntimeSpec, server: Server) -> "Session":
        """Open a session, with the runtime's checkpoint loaded.

        Raises:
            SettingsError: the server has no such checkpoint.
            RuntimeUnavailable: the server broke off.
        """
        checkpoints = Checkpoints(server)
        own = await _own(spec, checkpoints)
        knows_tasks = await server.has(TASK_PROGRESS, {"id_task": "", "live_preview": False})
        return cls(spec, server, checkpoints, Names(server), knows_tasks, own)

    async def checkpoint_for(self, requested: str | None) -> Checkpoint | None:
        """Find the checkpoint for a task: the one it requests, or the runtime's own.

        Raises:
            TaskFailed: there is none of this name, or the runtime is bound to another.
            RuntimeUnavailable: the server broke off.
        """
        checkpoint = await self.checkpoints.find(requested) if requested else self.own
        if checkpoint != self.own and not self.spec.dynamic:
            has = repr(self.own.title) if self.own else "no checkpoint of its own"
            raise TaskFailed(
                f"sd_model_checkpoint: runtime {self.spec.name} has {has} only, not {requested!r}: "
                "it is not set to load checkpoints on demand"
            )
        return checkpoint

    async def request(self, task: Task, inputs: Mapping[str, bytes]) -> Request:
        """Make the request for a task, in the server's words.

        Raises:
            TaskFailed: the content is none, or names what the server does not have.
            RuntimeUnavailable: the server broke off.
        """
        request = await self.names.resolve(request_of(task, inputs))
        if not self._is_tracked(request) or request.body.get(_TASK_NAME):
            return request
        # In the form of the ids that the server's own page makes.
        return request.with_fields(**{_TASK_NAME: f"task({uuid.uuid4().hex})"})

    def poller(self, request: Request, preview_every: float) -> ProgressPoller:
        """Make a poller for the request's progress."""
        name = request.body[_TASK_NAME] if self._is_tracked(request) else None
        return ProgressPoller(self.server, name, preview_every)

    async def generate(self, held: HeldRequest) -> httpx.Response:
        """Release the request, and return its answer when that begins; without a bound.

        If memory is short, unload the checkpoint and try a second time.

        Raises:
            TaskFailed: the server refused.
            RuntimeUnavailable: the server broke off.
        """
        try:
            return await held.answer()
        except OutOfMemory as exc:
            log.warning("out_of_memory", extra={"runtime": self.spec.name, "why": str(exc)})
        # A server may lack these paths; the second try shows whether memory was freed.
        with contextlib.suppress(TaskError):
            await self.server.post(f"{API}/unload-checkpoint")
            await self.server.post(f"{API}/reload-checkpoint")
        return await held.again()

    def check_answer(
        self, request: Request, checkpoint: Checkpoint | None, info: Mapping[str, Any]
    ) -> None:
        """Check that the server drew as requested: it does not tell that it took something else.

        Raises:
            TaskFailed: it drew with another checkpoint or sampler.
        """
        name = info.get("sd_model_name")
        if checkpoint and name and not checkpoint.is_called(name):
            self.checkpoints.current = None  # somebody else changed it
            raise TaskFailed(
                f"the server drew with the checkpoint {name!r}, not {checkpoint.title!r}"
            )
        sampler = info.get("sampler_name")
        requested = request.body[request.sampler] if request.sampler else None
        if requested and sampler and requested.lower() != sampler.lower():
            raise TaskFailed(f"the server drew with the sampler {sampler!r}, not {requested!r}")

    def _is_tracked(self, request: Request) -> bool:
        return self.knows_tasks and request.kind in CHECKPOINT_KINDS


async def _own(spec: RuntimeSpec, checkpoints: Checkpoints) -> Checkpoint | None:
    """Load and return the runtime's checkpoint; the server's, if it has none and takes no other."""
    if spec.checkpoint is None:
        current = None if spec.dynamic else await checkpoints.in_use()
        return await checkpoints.find(current) if current else None
    try:
        own = await checkpoints.find(spec.checkpoint)
        await checkpoints.use(own)
    except TaskFailed as exc:
        raise SettingsError(f"runtime {spec.name}: modelFilename: {exc}") from exc
    return own
