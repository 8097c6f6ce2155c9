"""Ports to ingest's replicas, each by its name, over Ray Serve and past it."""

import asyncio
from abc import abstractmethod
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol

from ray.exceptions import RayError
from ray.serve._private.common import DeploymentID, ReplicaID, RequestMetadata
from ray.serve._private.constants import SERVE_NAMESPACE
from ray.serve._private.request_router.replica_wrapper import ActorReplicaWrapper
from ray.serve._private.utils import generate_request_id
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.request_router import PendingRequest

from deployments import head_store
from models.errors import Unavailable
from models.event import Event
from models.live import Live, Pace
from models.report import Report
from serve_app.handles import why
from serve_app.ingest_replicas import Draining, IngestReplicas
from serve_app.presence import presence

_ANSWER_SECONDS = 5  # Serve itself keeps a call for as long as no replica is there
_DRAINS_SECONDS = 0.2
_DRAINS_LOOKS = 25


def ingest_replicas(handle: DeploymentHandle) -> IngestReplicas:
    """Make the ports to the replicas of ingest, whose deployment has an `IngestRouter`."""
    # Options are what lets the handle begin to learn which replicas run.
    learning = handle.options(_by_reference=True)
    deployment = learning.deployment_id
    return IngestReplicas(
        presence(deployment), lambda name: IngestHandle(learning, name), DrainingActors(deployment)
    )


class Stream(Protocol):
    """Stream of one call's answers, which goes on until it is cancelled."""

    def __anext__(self) -> Awaitable[Any]: ...
    def cancel(self) -> Any: ...


class IngestPort(Live):
    """Port to one replica of ingest; each call but `follow` has a deadline of five seconds."""

    @abstractmethod
    def _call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        """Begin a call with one answer."""

    @abstractmethod
    def _stream(self, method: str, *arguments: Any) -> Stream:
        """Begin a call with a stream of answers."""

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        stream = self._stream("follow", follower)
        try:
            with _translated(), suppress(StopAsyncIteration):
                while True:
                    yield await stream.__anext__()
        finally:
            stream.cancel()

    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        found: Mapping[str, Sequence[Event]] | None
        found = await self._answer("watch", follower, more, no_more)
        return found

    async def stop(self, report: Report) -> None:
        await self._answer("stop", report)

    async def paces(self) -> Mapping[str, Pace]:
        paces: Mapping[str, Pace] = await self._answer("paces")
        return paces

    async def _answer(self, method: str, *arguments: Any) -> Any:
        with _translated():
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._call(method, *arguments)


class IngestHandle(IngestPort):
    """Port to a replica that runs, by Serve's own way."""

    def __init__(self, handle: DeploymentHandle, name: str) -> None:
        self._handle = handle.options(session_id=name, _by_reference=True)

    def _call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        response: Awaitable[Any] = self._handle.options(method_name=method).remote(*arguments)
        return response

    def _stream(self, method: str, *arguments: Any) -> Stream:
        stream: Stream = self._handle.options(method_name=method, stream=True).remote(*arguments)
        return stream


class DrainingActor(IngestPort):
    """Port to a replica that drains: Serve routes nothing to it, and its actor takes calls.

    The request is sent as a Serve handle of Ray 2.60 sends it, without the question whether the
    replica has room, to which one that drains says no.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = ActorReplicaWrapper(actor)

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        # Until all that Serve sent has ended, such as a stream, the replica may not even drain.
        for _ in range(_DRAINS_LOOKS):
            if await self._answer("drains"):
                async with aclosing(super().follow(follower)) as stream:
                    async for events in stream:
                        yield events
                return
            await asyncio.sleep(_DRAINS_SECONDS)
        raise Unavailable("it is not listed, and does not drain")

    def _call(self, method: str, *arguments: Any) -> Awaitable[Any]:
        answer: Awaitable[Any] = self._send(method, arguments, streams=False).get_async()
        return answer

    def _stream(self, method: str, *arguments: Any) -> Stream:
        stream: Stream = self._send(method, arguments, streams=True)
        return stream

    def _send(self, method: str, arguments: Sequence[Any], *, streams: bool) -> Any:
        number = generate_request_id()
        metadata = RequestMetadata(number, number, call_method=method, is_streaming=streams)
        request = PendingRequest(list(arguments), {}, metadata)
        return self._actor.send_request_python(request, with_rejection=False)


class DrainingActors(Draining):
    """Actors of a deployment's replicas that drain, by what they note in Ray's head."""

    def __init__(self, deployment: DeploymentID) -> None:
        self._deployment = deployment

    async def names(self) -> Collection[str]:
        prefix = _draining_key(self._deployment.app_name, "")
        return [key.removeprefix(prefix).decode() for key in await head_store.read_below(prefix)]

    async def find(self, name: str) -> Live | None:
        replica = ReplicaID(name, self._deployment)
        actor = await head_store.find_actor(replica.to_full_id_str(), SERVE_NAMESPACE)
        return None if actor is None else DrainingActor(actor)

    async def forget(self, name: str) -> None:
        await head_store.delete(_draining_key(self._deployment.app_name, name))


@asynccontextmanager
async def draining(application: str, name: str) -> AsyncIterator[None]:
    """Note while the block runs that this replica of ingest drains, for fronts that begin now."""
    key = _draining_key(application, name)
    noting = asyncio.create_task(_quietly(head_store.write(key, b"drains")))
    try:
        yield
    finally:
        await noting
        await _quietly(head_store.delete(key))


async def _quietly(call: Awaitable[None]) -> None:
    with suppress(Unavailable):  # then this replica is not asked by those who do not know it
        await call


def _draining_key(application: str, name: str) -> bytes:
    return f"ingest/{application}/draining/{name}".encode()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RayError, RayServeException, TimeoutError) as exc:
        raise Unavailable(f"ingest did not answer: {why(exc)}") from exc
