"""A replica under Ray Serve: made, asked for its health, renewed, and left when it is broken."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any

import ray
from ray import serve

from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.bundles import Bundle, bundled
from deployments.departure import Departure, Signs
from deployments.departure_signs import RaySigns
from deployments.loopback import keep_to_loopback
from deployments.renewal import Renewal
from deployments.renewal_turns import MemoryTurns, RenewalTurns
from deployments.replica import Replica
from deployments.routing.admission import Admission
from deployments.routing.request_router import CHANGES, FILES, ROUTERS
from deployments.routing.requests import Refusal, RoutingRequest
from deployments.shared_turns import SharedTurns
from models.errors import RuntimeUnavailable
from models.settings.groups import Tasks
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")

_PROGRESS_SECONDS = 0.5
"""Seconds for which progress waits for more, so that whoever watches sees it move all the same: a
run of a fast model has ended by then."""
_ERROR_SECONDS = 0.2  # in which the failure itself reaches the caller

MakeReplica = Callable[[], Awaitable[Replica]]


class ServedReplica:
    """A replica under Serve: constructed means ready to run a task.

    ``tasks``: how long its tasks may take; ``turns_resources``: Ray's own resources of nodes that
    may have the actor of the `SharedTurns`.
    """

    async def __init__(  # type: ignore[misc] # Serve awaits it
        self, make: MakeReplica, tasks: Tasks, turns_resources: Mapping[str, float]
    ) -> None:
        keep_to_loopback()
        name, self.turns, signs = _surroundings(turns_resources)
        self.leaving = False
        # Serve starts a replica again at once when its start has failed.
        await asyncio.sleep(await self.turns.start_delay())
        try:
            self.replica = await make()
        # Not a cancellation: a replica that is stopped while it starts has not failed.
        except Exception:
            await self.turns.note_failure()
            raise
        self.replica.name = name
        self.admission = Admission(name, lambda: self.replica.holds)
        self.renewal = Renewal(self.replica, self.turns)
        self.departure = Departure(
            signs, stop_seconds=stop_seconds(tasks), drain_seconds=tasks.drain_seconds
        )
        self.watch = asyncio.create_task(self.departure.watch())

    async def run(
        self, task: Task, attempt: int, request: RoutingRequest
    ) -> AsyncGenerator[Bundle | Refusal, None]:
        """Run a task as `Replica.run` does, its updates in bundles, or refuse it.

        While the replica leaves, a call never returns.

        Raises:
            RuntimeUnavailable: the backend is away, or the replica is to go; another try may end
                better.
            Unavailable: the store is away.
        """
        if self.leaving:
            # Hang instead of raising: a refusal would be retried immediately, and come here again.
            # The call ends with this process, a moment later.
            await asyncio.Event().wait()
        if refusal := self.admission.admit(request):
            yield refusal
            return
        try:
            run = self.departure.bounded(self.replica.run(task, attempt))
            async with aclosing(bundled(run, _PROGRESS_SECONDS)) as bundles:
                async for bundle in bundles:
                    yield bundle
        except RuntimeUnavailable:
            # For its effect: a broken replica leaves. What is raised is the task's own error.
            with suppress(RuntimeUnavailable):
                await self._check()
            raise
        finally:
            self.admission.leave()

    async def check_health(self) -> None:
        """Answer Serve's health check, and begin a renewal where one is due.

        Raises:
            RuntimeUnavailable: no further task can be run here.
        """
        await self._check()
        await self.renewal.renew_if_due()

    async def record_routing_stats(self) -> Mapping[str, Any]:  # Serve's own hook
        """Tell the handles' routers which weights files this replica has."""
        admission = self.admission
        return {
            FILES: admission.files,
            CHANGES: admission.changes,
            ROUTERS: admission.routers,
        }

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "renewal"):  # not in a replica that failed to start
            # First: a renewal under way would start a fresh backend after the close.
            await self.renewal.close()
            self.watch.cancel()
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


def stop_seconds(tasks: Tasks) -> float:
    """Return the seconds that a replica has to end what it has begun: it may load, then run."""
    return 2 * tasks.deadline_seconds + tasks.drain_seconds


def _surroundings(
    turns_resources: Mapping[str, float],
) -> tuple[str, RenewalTurns, Callable[[], Awaitable[Signs]]]:
    """Name this replica; find the turns that it shares with others, and the signs that it goes."""
    if not ray.is_initialized():  # Serve's local testing: there is but this one
        return "local", MemoryTurns(), _no_signs
    context = serve.get_replica_context()
    name, runtime = context.replica_id.unique_id, context.deployment
    turns = SharedTurns(f"{context.app_name}-{runtime}", turns_resources)
    return name, turns, RaySigns(name, runtime, RayFleetStore(context.app_name))


async def _no_signs() -> Signs:
    return Signs()


def _end_process() -> None:
    """End this process: the handles learn at once that it is gone, and Serve replaces it."""
    ray.kill(ray.get_runtime_context().current_actor)
