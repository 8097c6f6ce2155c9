"""Adapter of ``sdwebui``: tasks in; progress and pictures out, over the HTTP of one server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial

from deployments.adapter import Adapter, Begun, RuntimeSpec, Step
from deployments.backend.held_request import HeldRequest
from deployments.backend.process import Backend
from deployments.backend.warm_up import warm_up
from deployments.checkpoints import requested_checkpoint
from deployments.inputs.fields import image_links, inline_pictures
from deployments.run_to_end import run_to_end
from deployments.runtimes.sdwebui.answer import info_of, read_answer, steps_of
from deployments.runtimes.sdwebui.checkpoints import Checkpoint
from deployments.runtimes.sdwebui.faults import DeviceFailed
from deployments.runtimes.sdwebui.generation import Generation
from deployments.runtimes.sdwebui.progress import TOTAL, ProgressPoller
from deployments.runtimes.sdwebui.request import CHECKPOINT_KINDS, webui_content
from deployments.runtimes.sdwebui.server import BrokeOff, Server, login, write_json
from deployments.runtimes.sdwebui.session import Session
from models.errors import RuntimeUnavailable
from models.report import Progress, Stage
from models.runtimes.sdwebui import SDWEBUI, Options
from models.task import Kind, Task

_EXIT_SECONDS = 1.0


class SdWebUiAdapter(Adapter):
    """Drives an AUTOMATIC1111-compatible server: A1111, Forge, SD.Next.

    A run that is left ends its own generation before it returns, so `interrupt` has nothing to
    stop: what runs then may be the next task's.
    """

    kinds = SDWEBUI.kinds
    described = SDWEBUI
    slots = 2
    """Tasks in `run`: one is drawn; the other gets ready, or its pictures are read."""

    def __init__(self, spec: RuntimeSpec) -> None:
        super().__init__(spec)
        self._options = self.read_options(Options)
        self._login = login(self._options.auth)
        self._backend = Backend(self._options.process, name=spec.name)
        self._server: Server | None = None
        self._session: Session | None = None
        self._broken: str | None = None
        """Reason why no further task can be run."""

    async def ready(self) -> None:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.close)
            await self._open()
            stack.pop_all()

    async def run(self, task: Task, inputs: Mapping[str, bytes]) -> AsyncGenerator[Step, None]:
        session = self._ready_session
        async with self._noting_loss(), AsyncExitStack() as stack:
            # Whatever can be done ahead is done before the lock, while the task before is drawn.
            request = await session.request(task, inputs)
            checkpoint, content = await self._checkpoint(task), write_json(request.body)
            send = partial(session.server.generate, request.path)
            async with aclosing(HeldRequest(send, content)) as held, session.lock:
                # The task before may have left the server broken.
                await self.check()
                # Before `Begun`, at which the replica notes it.
                self.checkpoint = self._name(task, checkpoint)
                yield Begun()
                if checkpoint and checkpoint != session.checkpoints.current:
                    yield Stage.LOADING
                    await session.checkpoints.use(checkpoint)
                    yield Stage.RUNNING
                work = session.generate(held)
                poller = session.poller(request, self._options.preview_every)
                async with self._generating(Generation(session.server, work)) as generation:
                    async with aclosing(self._progress(generation, poller)) as steps:
                        async for step in steps:
                            yield step
                    response = await generation.answer()
                    # On the outer stack, which outlives the lock.
                    stack.push_async_callback(response.aclose)
            # Read outside the lock: the next task is drawn meanwhile.
            answer = read_answer(await session.server.rest(response))
        session.check_answer(request, checkpoint, info_of(answer))
        yield Progress(step=TOTAL, of=TOTAL)
        for output in steps_of(task.id, answer):
            yield output

    def links(self, task: Task) -> Iterable[str]:
        return image_links(webui_content(task))

    def pictures(self, task: Task) -> Mapping[str, str]:
        return inline_pictures(webui_content(task))

    async def check(self) -> None:
        await self._backend.check()
        if self._broken:
            raise RuntimeUnavailable(self._broken)

    def is_bloated(self) -> bool:
        return self._backend.is_bloated()

    async def close(self) -> None:
        if self._server:
            await self._server.close()
        await self._backend.close()

    async def _open(self) -> None:
        await self._backend.start()
        self._server = Server(self._backend.url, self._login)
        await self._backend.ready(self._server.answers)
        seconds = self._options.backend.ready_seconds
        try:
            async with asyncio.timeout(seconds):
                self._session = await Session.opened(self.spec, self._server)
                await warm_up(self, Kind.TEXT_TO_IMAGE, self._options.warm_up)
        except TimeoutError:
            raise RuntimeUnavailable(f"no checkpoint after {seconds:g} s") from None

    @property
    def _ready_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("ready() comes first")
        return self._session

    async def _checkpoint(self, task: Task) -> Checkpoint | None:
        requested = requested_checkpoint(task.content)
        needed = requested or task.kind in CHECKPOINT_KINDS
        return await self._ready_session.checkpoint_for(requested) if needed else None

    def _name(self, task: Task, checkpoint: Checkpoint | None) -> str | None:
        """Name the checkpoint that the task is drawn with."""
        current = checkpoint or self._ready_session.checkpoints.current
        name = requested_checkpoint(task.content) or self.spec.checkpoint
        return name or (current.title if current else None)

    def _progress(
        self, generation: Generation, poller: ProgressPoller
    ) -> AsyncGenerator[Progress, None]:
        return generation.progress(poller, self._options.progress_every)

    @asynccontextmanager
    async def _generating(self, generation: Generation) -> AsyncIterator[Generation]:
        """Give a generation that has ended when this is left, however it is left."""
        try:
            yield generation
        finally:
            await run_to_end(self._stop(generation))

    async def _stop(self, generation: Generation) -> None:
        seconds = self._options.interrupt_seconds
        if not await generation.stop(seconds):
            self._broken = f"the server did not stop within {seconds:g} s of an interrupt"

    @asynccontextmanager
    async def _noting_loss(self) -> AsyncIterator[None]:
        """Note a lost server, so that no further task is run; its process says why."""
        try:
            yield
        except (BrokeOff, DeviceFailed) as exc:
            self._broken = str(exc)
            await self._wait_for_exit()
            raise

    async def _wait_for_exit(self) -> None:
        """Give a process that has just died a moment to be seen dead.

        Raises:
            RuntimeUnavailable: it has ended; with its exit code and its last lines.
        """
        until = asyncio.get_running_loop().time() + _EXIT_SECONDS
        while self._options.backend.command and asyncio.get_running_loop().time() < until:
            await self._backend.check()
            await asyncio.sleep(_EXIT_SECONDS / 10)
