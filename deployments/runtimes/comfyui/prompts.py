"""A prompt's way through ComfyUI: sent, followed to its end, and stopped if nobody wants it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from deployments.adapter import Begun
from deployments.backend.held_request import HeldRequest
from deployments.backend.process import Backend
from deployments.run_to_end import run_to_end
from deployments.runtimes.comfyui.client import Client
from deployments.runtimes.comfyui.event_socket import EventSocket
from deployments.runtimes.comfyui.history_entry import HistoryEntry
from deployments.runtimes.comfyui.refusal import Problem, problems, refused
from deployments.runtimes.comfyui.tracked_prompt import TrackedPrompt
from models.errors import RuntimeUnavailable
from models.progress import Progress
from models.runtimes.comfyui import Options

log = logging.getLogger("ray.serve.atelier.comfyui")

_LOOK_SECONDS = 1.0  # of silence, after which history is asked
_SETTLE_SECONDS = 0.5  # in which ComfyUI heeds /free; it says nothing of it
_PAUSE_SECONDS = 0.05


class Prompts:
    """Runs prompts on one server, one at a time."""

    def __init__(
        self, client: Client, events: EventSocket, backend: Backend, options: Options
    ) -> None:
        self.broken: str | None = None
        """Why the server is not to be used any more."""
        self._client = client
        self._events = events
        self._backend = backend
        self._options = options
        self._gpu = asyncio.Lock()

    async def run(
        self, watch: TrackedPrompt, *, fresh: bool
    ) -> AsyncGenerator[Begun | Progress, None]:
        """Run the prompt, telling how far it is; closed before its end, it is stopped.

        ``fresh``, for a second try of what has begun, has ComfyUI drop its models and caches first.

        Raises:
            TaskFailed: ComfyUI refused the graph.
            RuntimeUnavailable: it is gone, or has lost the prompt.
        """
        request = self._client.ahead(watch.graph, watch.prompt, self._events.client)
        async with aclosing(request) as ahead, self._gpu:
            if fresh:
                await self._client.free()
                await asyncio.sleep(_SETTLE_SECONDS)
            else:
                yield Begun()
            if watch.graph.senders:
                await self._events.connected()
            with self._events.following(watch):
                # A task of its own: a request that is cancelled may still fill ComfyUI's queue.
                sending = asyncio.create_task(self._send(watch, ahead))
                try:
                    await asyncio.shield(sending)
                    while not watch.is_over:
                        await self._news(watch)
                        if progress := watch.told(previews=self._options.previews):
                            yield progress
                finally:
                    if not watch.is_over:
                        await run_to_end(self._withdraw(watch, sending))

    async def record(self, watch: TrackedPrompt) -> HistoryEntry:
        """How it ended; history has it a moment after the socket says so.

        Raises:
            RuntimeUnavailable: ComfyUI is gone, or has lost it.
        """
        while watch.record is None:
            watch.record = await self._client.record(watch.prompt)
            if watch.record is None:
                await self._find(watch)
                await asyncio.sleep(_PAUSE_SECONDS)
        return watch.record

    def give_up(self, why: str) -> None:
        """Use this server for nothing more."""
        log.warning("comfyui_given_up", extra={"why": why})
        self.broken = self.broken or why

    async def _send(self, watch: TrackedPrompt, ahead: HeldRequest) -> None:
        try:
            said = await self._client.submit(ahead)
        except RuntimeUnavailable as exc:
            self.give_up(f"{exc}, and may run it all the same")
            raise
        watch.prompt = said.prompt or watch.prompt
        if not said.accepted or (said.node_errors and not self._options.allow_partial):
            found = problems(said.node_errors)
            raise refused(said.body, {one: await self._choices(one) for one in found})

    async def _choices(self, problem: Problem) -> list[str] | None:
        """What there is instead; ComfyUI itself lists no more than twenty."""
        if problem.wants_choices:
            with suppress(RuntimeUnavailable):
                return await self._client.choices(problem.kind, problem.field)
        return None

    async def _news(self, watch: TrackedPrompt) -> None:
        """Wait for word of the prompt; where there is none, ask."""
        heard = watch.heard
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await watch.changed.wait()
        watch.changed.clear()
        if watch.heard == heard and not watch.is_over:
            await self._look(watch)

    async def _look(self, watch: TrackedPrompt) -> None:
        """Ask history whether it has ended; after a long silence, the queue whether it is there."""
        now, patience = time.monotonic(), self._options.silence_seconds
        try:
            watch.record = await self._client.record(watch.prompt)
        except RuntimeUnavailable as exc:
            self._backend.check()
            if now - watch.answered > patience:
                self.give_up(str(exc))
                raise
            return
        watch.answered = now
        if watch.record is not None:
            await (self._last_words(watch) if watch.heard else self._events.reconnect())
        elif now - watch.spoken > patience:
            await self._find(watch)
            watch.spoken = now

    async def _last_words(self, watch: TrackedPrompt) -> None:
        """Let the socket catch up with history where pictures come over it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                while watch.is_incomplete:
                    watch.changed.clear()
                    await watch.changed.wait()

    async def _find(self, watch: TrackedPrompt) -> None:
        """Raise where the prompt is neither in the queue nor in history (it may just move)."""
        for _ in range(2):
            if await self._client.place(watch.prompt):
                return
            watch.record = await self._client.record(watch.prompt)
            if watch.record is not None:
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise RuntimeUnavailable(
            "ComfyUI has lost the prompt: it was restarted, or its queue cleared"
        )

    async def _withdraw(self, watch: TrackedPrompt, sending: asyncio.Task[None]) -> None:
        """Have it gone from the queue; a server that goes on with it is not used any more."""
        seconds = self._options.obey_seconds
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait([sending])
                while place := await self._client.place(watch.prompt):
                    stop = self._client.drop if place == "pending" else self._client.interrupt
                    await stop(watch.prompt)
                    await asyncio.sleep(_PAUSE_SECONDS)
                await self._client.forget(watch.prompt)
        except TimeoutError:
            self.give_up(f"ComfyUI went on for {seconds:g} s with a prompt that it was to stop")
        except RuntimeUnavailable as exc:
            self.give_up(str(exc))
