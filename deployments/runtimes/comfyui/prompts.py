"""Prompts on their way through ComfyUI: sent, followed to their end, and stopped if unwanted."""

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
from models.report import Progress
from models.runtimes.comfyui import Options

log = logging.getLogger("ray.serve.atelier.comfyui")

_SILENCE_SECONDS = 1.0  # without a message, after which the history is asked
_SETTLE_SECONDS = 0.5  # in which ComfyUI heeds /free; it does not tell when it has
_PAUSE_SECONDS = 0.05


class Prompts:
    """Runs prompts on one server, one at a time; times are monotonic, in seconds."""

    def __init__(
        self, client: Client, events: EventSocket, backend: Backend, options: Options
    ) -> None:
        self.broken: str | None = None
        """Reason why the server is not to be used any more; None while it is."""
        self._client = client
        self._events = events
        self._backend = backend
        self._options = options
        self._gpu = asyncio.Lock()

    async def run(
        self, prompt: TrackedPrompt, *, fresh: bool
    ) -> AsyncGenerator[Begun | Progress, None]:
        """Run the prompt, yielding its progress; closed before its end, it is stopped.

        ``fresh``, for a second try of what has begun, makes ComfyUI drop its models and caches.

        Raises:
            TaskFailed: ComfyUI refused the graph.
            RuntimeUnavailable: it is gone, or has lost the prompt.
        """
        # Before the lock: the graph is on its way while the prompt before has the GPU.
        request = self._client.held_prompt(prompt.graph, prompt.id, self._events.client)
        async with aclosing(request) as held, self._gpu:
            if fresh:
                await self._client.free()
                await asyncio.sleep(_SETTLE_SECONDS)
            else:
                yield Begun()
            # What such nodes make comes over the socket alone; the history has nothing of it.
            if prompt.graph.senders:
                await self._events.connected()
            with self._events.following(prompt):
                # A task of its own: a cancelled request may still put the prompt into the queue.
                sending = asyncio.create_task(self._send(prompt, held))
                try:
                    await asyncio.shield(sending)
                    while not prompt.is_over:
                        await self._wait_for_news(prompt)
                        if progress := prompt.advance(previews=self._options.previews):
                            yield progress
                finally:
                    if not prompt.is_over:
                        await run_to_end(self._withdraw(prompt, sending))

    async def history(self, prompt: TrackedPrompt) -> HistoryEntry:
        """Return the prompt's entry of the history, which may come after the socket's last message.

        Raises:
            RuntimeUnavailable: ComfyUI is gone, or has lost the prompt.
        """
        while prompt.history is None:
            prompt.history = await self._client.history(prompt.id)
            if prompt.history is None:
                await self._check_not_lost(prompt)
                await asyncio.sleep(_PAUSE_SECONDS)
        return prompt.history

    def give_up(self, why: str) -> None:
        """Note why this server is not to be used any more."""
        log.warning("comfyui_given_up", extra={"why": why})
        self.broken = self.broken or why

    async def _send(self, prompt: TrackedPrompt, request: HeldRequest) -> None:
        try:
            submitted = await self._client.submit(request)
        except RuntimeUnavailable as exc:
            self.give_up(f"{exc}, and may run it all the same")
            raise
        prompt.id = submitted.prompt or prompt.id
        if not submitted.accepted or (submitted.node_errors and not self._options.allow_partial):
            found = problems(submitted.node_errors)
            # Accepted for its valid outputs it may be running by now: `run` withdraws it.
            raise refused(
                submitted.body, {problem: await self._choices(problem) for problem in found}
            )

    async def _choices(self, problem: Problem) -> list[str] | None:
        """List what the field may be instead; ComfyUI's refusal lists twenty names at most."""
        if problem.wants_choices:
            with suppress(RuntimeUnavailable):
                return await self._client.choices(problem.kind, problem.field)
        return None

    async def _wait_for_news(self, prompt: TrackedPrompt) -> None:
        """Wait for a message about the prompt; without any for a second, ask the history."""
        before = prompt.messages
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE_SECONDS):
                await prompt.changed.wait()
        prompt.changed.clear()
        # A disconnect, too, ends the wait without a message: what came meanwhile is lost.
        if prompt.messages == before and not prompt.is_over:
            await self._ask_history(prompt)

    async def _ask_history(self, prompt: TrackedPrompt) -> None:
        """Ask the history whether it has ended; after a long silence, look for it in the queue."""
        now, patience = time.monotonic(), self._options.silence_seconds
        try:
            prompt.history = await self._client.history(prompt.id)
        except RuntimeUnavailable as exc:
            # A process that ended says why; a lost connection does not.
            await self._backend.check()
            if now - prompt.last_answer > patience:
                self.give_up(str(exc))
                raise
            return
        prompt.last_answer = now
        if prompt.history is not None:
            # Ended without a single message: ComfyUI has forgotten this socket.
            await (self._await_images(prompt) if prompt.messages else self._events.reconnect())
        elif now - prompt.last_message > patience:
            await self._check_not_lost(prompt)
            prompt.last_message = now  # asked again only after as long a silence

    async def _await_images(self, prompt: TrackedPrompt) -> None:
        """Let the socket catch up with the history if pictures come over it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE_SECONDS):
                while prompt.is_incomplete:
                    prompt.changed.clear()
                    await prompt.changed.wait()

    async def _check_not_lost(self, prompt: TrackedPrompt) -> None:
        """Look for the prompt in the queue and the history, twice: it may just move between them.

        Raises:
            RuntimeUnavailable: it is in neither.
        """
        for _ in range(2):
            if await self._client.queue_state(prompt.id):
                return
            prompt.history = await self._client.history(prompt.id)
            if prompt.history is not None:
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise RuntimeUnavailable(
            "ComfyUI has lost the prompt: it was restarted, or its queue cleared"
        )

    async def _withdraw(self, prompt: TrackedPrompt, sending: asyncio.Task[None]) -> None:
        """Remove the prompt from the queue; a server that goes on with it is not used any more."""
        seconds = self._options.obey_seconds
        try:
            async with asyncio.timeout(seconds):
                # Until that is answered, nobody knows whether the prompt is queued, or as what.
                await asyncio.wait([sending])
                # Asked each time: it may begin to run between the look and the removal.
                while state := await self._client.queue_state(prompt.id):
                    stop = self._client.drop if state == "pending" else self._client.interrupt
                    await stop(prompt.id)
                    await asyncio.sleep(_PAUSE_SECONDS)
                await self._client.forget(prompt.id)
        except TimeoutError:
            self.give_up(f"ComfyUI went on for {seconds:g} s with a prompt that it was to stop")
        except RuntimeUnavailable as exc:
            self.give_up(str(exc))
