"""Handles of the runtimes' replicas, over Ray Serve.

All calls go by reference, through Ray, whatever `RAY_SERVE_USE_GRPC_BY_DEFAULT` says: Ray notices a
node that is gone within seconds, a gRPC stream after its keepalive, up to seven minutes later.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from contextlib import suppress

from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.routing.durations import Durations
from deployments.routing.requests import Answer, Refusal, RoutingRequest
from models.errors import PlaceGone, RuntimeUnavailable, TaskError, Unavailable
from models.event import Update
from models.ports import Runner
from models.report import Report, Stage
from models.task import Task

_STOP_SECONDS = 60
"""Seconds within which a replica stops a run: Ray notices a node that is gone in less."""


class ReplicaHandle(Runner):
    """Replicas of one runtime; ``files_of``: names the weights files that a task needs."""

    def __init__(self, handle: DeploymentHandle, files_of: Callable[[Task], Sequence[str]]) -> None:
        self._run = handle.options(method_name="run", stream=True, _by_reference=True)
        self._files_of = files_of
        self._durations = Durations()

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        files = self._files_of(task)
        need, answer = self._durations.need(files), Answer()
        request = RoutingRequest(task.submission, need, answer=answer)
        begun = ended = False
        stream = self._run.remote(task, attempt, request)
        try:
            while True:  # until one takes it: `deployments.routing.dispatcher` has the bound
                refusal: Refusal | None = None
                async for bundle in stream:  # as `deployments.bundles` makes them
                    if isinstance(bundle, Refusal):
                        refusal = bundle
                        continue
                    answer.note_run()
                    for update in bundle:
                        begun = begun or update is not Stage.WAITING
                        if isinstance(update, Report):
                            ended = True
                            self._learn(files, update.seconds)
                        yield update
                if refusal is None:
                    return
                answer = Answer()
                request = request.refused(refusal, answer)
                stream = self._run.remote(task, attempt, request)
        except (RayError, RayServeException) as exc:
            cause = exc.cause if isinstance(exc, RayTaskError) else None
            kind = type(cause) if isinstance(cause, Unavailable | PlaceGone) else RuntimeUnavailable
            raise kind(why(exc)) from exc
        finally:
            answer.note_run()
            if not ended:  # the replica would go on drawing for nobody
                stream.cancel()
            if not begun:
                # It may be handed to another replica at once, while it begins here.
                await _stopped(stream)

    def _learn(self, files: Sequence[str], seconds: Mapping[str, float]) -> None:
        """Learn from a completed task how long such tasks and their loads last."""
        if "run" in seconds:
            self._durations.ended(files, seconds["run"], seconds["load"])


async def _stopped(stream: AsyncIterable[Update]) -> None:
    """Wait until nothing of a cancelled run is under way at its replica.

    Raises:
        RuntimeUnavailable: the replica did not say so in time.
    """
    # In a task of its own: Ray tells the end of a cancelled call as if the caller were cancelled.
    end = asyncio.create_task(_read_to_end(stream))
    try:
        _, late = await asyncio.wait([end], timeout=_STOP_SECONDS)
    finally:
        end.cancel()
    if late:
        raise RuntimeUnavailable("its replica did not stop in time")


async def _read_to_end(stream: AsyncIterable[Update]) -> None:
    with suppress(Exception, asyncio.CancelledError):
        async for _ in stream:
            pass


def why(exc: Exception) -> str:
    """Name what failed, without Ray's own text: that has a traceback with an address."""
    cause = exc.cause if isinstance(exc, RayTaskError) else exc
    if isinstance(cause, RayActorError):
        return "the replica's process ended"
    known = isinstance(cause, TaskError | Unavailable)
    return str(cause) if known else type(cause).__name__
