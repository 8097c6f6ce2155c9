"""Handles of ingest's replicas, each by its name, over Ray Serve."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from models.errors import Unavailable
from models.event import Event
from models.live import Ingests, Live, Pace
from models.report import Report
from serve_app.handles import why
from serve_app.presence import presence

_ANSWER_SECONDS = 5  # Serve itself keeps a call for as long as no replica is there


class IngestHandles(Ingests):
    """Replicas of ingest, whose deployment has an `IngestRouter`."""

    def __init__(self, handle: DeploymentHandle) -> None:
        # Options are what lets the handle begin to learn which replicas run.
        self._handle = handle.options(_by_reference=True)
        self._presence = presence(self._handle.deployment_id)
        self._made: dict[str, IngestHandle] = {}

    @property
    def there(self) -> Mapping[str, Live]:
        names = self._presence.names
        for gone in self._made.keys() - names:
            del self._made[gone]
        for new in names - self._made.keys():
            self._made[new] = IngestHandle(self._handle, new)
        return dict(self._made)

    async def change(self, known: Collection[str]) -> None:
        await self._presence.change(known)


class IngestHandle(Live):
    """Replica of ingest by its name; each call but `follow` has a deadline of five seconds."""

    def __init__(self, handle: DeploymentHandle, name: str) -> None:
        self._handle = handle.options(session_id=name, _by_reference=True)
        self._follow = self._handle.options(method_name="follow", stream=True)

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        stream = self._follow.remote(follower)
        try:
            with _translated():
                async for events in stream:
                    yield events
        finally:
            stream.cancel()

    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        found: Mapping[str, Sequence[Event]] | None = await _answer(
            self._handle.watch.remote(follower, more, no_more)
        )
        return found

    async def stop(self, report: Report) -> bool:
        held: bool = await _answer(self._handle.stop.remote(report))
        return held

    async def paces(self) -> Mapping[str, Pace]:
        paces: Mapping[str, Pace] = await _answer(self._handle.paces.remote())
        return paces


async def _answer(response: Awaitable[Any]) -> Any:
    with _translated():
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await response


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RayError, RayServeException, TimeoutError) as exc:
        raise Unavailable(f"ingest did not answer: {why(exc)}") from exc
