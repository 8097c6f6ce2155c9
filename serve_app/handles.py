"""Handles: the ports to ingest and to the runtimes, over Ray Serve.

All calls go by reference, through Ray, whatever `RAY_SERVE_USE_GRPC_BY_DEFAULT` says: Ray notices a
node that is gone within seconds, a gRPC stream after its keepalive, up to seven minutes later.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from typing import Any

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.routing.durations import Durations
from deployments.routing.requests import Refusal, RoutingRequest
from models.errors import PlaceGone, RuntimeUnavailable, TaskError, Unavailable
from models.event import Event, Update
from models.live import Live, Pace
from models.ports import Runner
from models.report import Report, Stage
from models.task import Task

_ANSWER_SECONDS = 5  # Serve itself keeps a call for as long as no replica is there
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
        request = RoutingRequest(task.submission, self._durations.need(files))
        begun = ended = False
        try:
            refusal: Refusal | None
            while True:
                stream, refusal = self._run.remote(task, attempt, request), None
                async for bundle in stream:  # as `deployments.bundles` makes them
                    if isinstance(bundle, Refusal):
                        refusal = bundle
                        continue
                    for update in bundle:
                        begun = begun or update is not Stage.WAITING
                        if isinstance(update, Report):
                            ended = True
                            self._learn(files, update.seconds)
                        yield update
                if refusal is None:
                    return
                request = request.refused(refusal)
        except (RayError, RayServeException) as exc:
            cause = exc.cause if isinstance(exc, RayTaskError) else None
            kind = type(cause) if isinstance(cause, Unavailable | PlaceGone) else RuntimeUnavailable
            raise kind(_why(exc)) from exc
        finally:
            if not ended:  # the replica would go on drawing for nobody
                stream.cancel()
            if not begun:
                # It may be handed to another replica at once, while it begins here.
                await _stopped(stream)

    def _learn(self, files: Sequence[str], seconds: Mapping[str, float]) -> None:
        """Learn from a completed task how long such tasks and their loads last."""
        if "run" in seconds:
            self._durations.ended(files, seconds["run"], seconds["load"])


class IngestHandle(Live):
    """Ingest, which has one replica; each call but `follow` has a deadline of five seconds."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle.options(_by_reference=True)
        self._follow = handle.options(method_name="follow", stream=True, _by_reference=True)

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        stream = self._follow.remote(follower)
        try:
            with _translated():
                async for events in stream:
                    yield events
        finally:
            stream.cancel()

    async def watch(self, follower: str, submission: str) -> Sequence[Event] | None:
        found: Sequence[Event] | None = await _answer(
            self._handle.watch.remote(follower, submission)
        )
        return found

    async def unwatch(self, follower: str, submission: str) -> None:
        await _answer(self._handle.unwatch.remote(follower, submission))

    async def stop(self, report: Report) -> bool:
        held: bool = await _answer(self._handle.stop.remote(report))
        return held

    async def paces(self) -> Mapping[str, Pace]:
        paces: Mapping[str, Pace] = await _answer(self._handle.paces.remote())
        return paces


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


async def _answer(response: Awaitable[Any]) -> Any:
    with _translated():
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await response


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RayError, RayServeException, TimeoutError) as exc:
        raise Unavailable(f"ingest did not answer: {_why(exc)}") from exc


def _why(exc: Exception) -> str:
    """Name what failed, without Ray's own text: that has a traceback with an address."""
    cause = exc.cause if isinstance(exc, RayTaskError) else exc
    known = isinstance(cause, TaskError | Unavailable)
    return str(cause) if known else type(cause).__name__
