"""A replica under Ray Serve: made, asked for its health, renewed, and left when it is broken."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress

import ray
from ray import serve

from deployments.loopback import keep_to_loopback
from deployments.renewal import Renewal
from deployments.renewal_turns import MemoryTurns, RenewalTurns
from deployments.replica import Replica
from deployments.shared_turns import SharedTurns
from models.errors import RuntimeUnavailable
from models.event import Update
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")

_ERROR_SECONDS = 0.2  # in which the failure itself reaches the caller

MakeReplica = Callable[[], Awaitable[Replica]]


class ServedReplica:
    """A replica under Serve: constructed means ready to run a task.

    ``turns_resources``: Ray's own resources of nodes that may have the actor of the `SharedTurns`.
    """

    async def __init__(  # type: ignore[misc] # Serve awaits it
        self, make: MakeReplica, turns_resources: Mapping[str, float]
    ) -> None:
        keep_to_loopback()
        name, self.turns = _name_and_turns(turns_resources)
        self.leaving = False
        # Serve starts a replica again at once when its start has failed, and for ever.
        await asyncio.sleep(await self.turns.start_delay())
        try:
            self.replica = await make()
        # Not a cancellation: a replica that is stopped while it starts has not failed.
        except Exception:
            await self.turns.note_failure()
            raise
        self.replica.name = name
        self.renewal = Renewal(self.replica, self.turns)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        """Run a task as `Replica.run` does; while the replica leaves, a call never returns.

        Raises:
            RuntimeUnavailable: the backend is away; another try may end better.
            Unavailable: the store is away.
        """
        if self.leaving:
            # Hang instead of raising: a refusal would be retried immediately, and come here again.
            # The call ends with this process, a moment later.
            await asyncio.Event().wait()
        try:
            async for update in self.replica.run(task, attempt):
                yield update
        except RuntimeUnavailable:
            # For its effect: a broken replica leaves. What is raised is the task's own error.
            with suppress(RuntimeUnavailable):
                await self._check()
            raise

    async def check_health(self) -> None:
        """Answer Serve's health check, and begin a renewal where one is due.

        Raises:
            RuntimeUnavailable: no further task can be run here.
        """
        await self._check()
        await self.renewal.renew_if_due()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "renewal"):  # not in a replica that failed to start
            # First: a renewal under way would start a fresh backend after the close.
            await self.renewal.close()
            await self.replica.close()

    async def _check(self) -> None:
        """Leave if no further task can be run.

        Serve replaces a replica that fails three checks in a row; until then it would go on
        sending tasks here, and each would spend its attempts.
        """
        try:
            await self.renewal.check()
        except RuntimeUnavailable as exc:
            if not self.leaving and ray.is_initialized():  # it is not in Serve's local testing
                self.leaving = True
                log.exception("replica_leaves", extra={"why": str(exc)})
                await self.turns.note_failure()
                asyncio.get_running_loop().call_later(_ERROR_SECONDS, _end_process)
            raise


def _name_and_turns(turns_resources: Mapping[str, float]) -> tuple[str, RenewalTurns]:
    """Name this replica, and find the turns that it shares with others of its deployment."""
    if not ray.is_initialized():  # Serve's local testing: there is but this one
        return "local", MemoryTurns()
    context = serve.get_replica_context()
    turns = SharedTurns(f"{context.app_name}-{context.deployment}", turns_resources)
    return context.replica_id.unique_id, turns


def _end_process() -> None:
    """End this process: the handles learn at once that it is gone, and Serve replaces it."""
    ray.kill(ray.get_runtime_context().current_actor)
