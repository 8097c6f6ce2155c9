"""A client that does not read its stream costs bounded memory, and its own slot."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.report import Progress
from tests.serve_app.world import KEY, World, settings, task
from tests.serving import served
from tests.sockets import connected, request

PREVIEW = b"\x89PNG\r\n\x1a\n" + b"rather large" * 30_000
MOST = 8_000_000


class LikeServe:
    """Proxy like Serve's, which keeps what is sent until the client reads it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.kept = 0
        """Bytes that were sent and not read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        queue: asyncio.Queue[Message | None] = asyncio.Queue()

        async def keep(message: Message) -> None:
            self.kept += len(message.get("body", b""))
            await queue.put(message)

        async def pass_on() -> None:
            while message := await queue.get():
                await send(message)
                self.kept -= len(message.get("body", b""))

        passing = asyncio.create_task(pass_on())
        try:
            await self.app(scope, receive, keep)
            queue.put_nowait(None)
            await passing
        finally:
            passing.cancel()


@asynccontextmanager
async def front() -> AsyncIterator[tuple[World, LikeServe, str]]:
    world = World(configured=settings(limits={"streams": {"maxBytes": MOST}}))
    await world.run(task())
    kept = LikeServe(world.app)
    async with served(kept) as url:
        yield world, kept, url
    await world.feed.close()


async def shown_until(world: World, done: Callable[[], bool]) -> int:
    """Publish previews of the task until a condition holds; return their number."""
    async with asyncio.timeout(30):
        for step in itertools.count(1):
            world.board.publish("s1", Progress(step=step, of=10_000, preview=PREVIEW))
            await asyncio.sleep(0.01)
            if done():
                return step
    raise AssertionError


async def test_a_stream_that_nobody_reads_ends_and_keeps_its_slot() -> None:
    watch = request("GET", "/v1/tasks/owl/events", KEY)
    async with front() as (world, kept, url):
        streams = world.front.capacity.streams
        async with connected(url, [watch], receive_buffer=1024):
            await shown_until(world, lambda: world.ingest.unwatches > 0)
            largest = kept.kept
            held = streams.taken
            world.board.publish("s1", Progress(step=1, of=9, preview=PREVIEW))
            await asyncio.sleep(0.05)
            later = kept.kept
        await shown_until(world, lambda: streams.taken == 0)
        left = kept.kept

    assert MOST / 4 < largest < MOST + 2 * len(PREVIEW)  # some of it is in the sockets
    assert held == 1
    assert later == largest
    assert left == 0


async def read(client: httpx.AsyncClient, last: str | None) -> list[ServerSentEvent]:
    headers: Mapping[str, str] = {"last-event-id": last} if last else {}
    async with aconnect_sse(client, "GET", "/v1/tasks/owl/events", headers=headers) as source:
        return [event async for event in source.aiter_sse()]


async def test_who_reads_goes_on_in_another_stream_where_he_was() -> None:
    async with front() as (world, _, url), httpx.AsyncClient(base_url=url) as client:
        client.headers["x-api-key"] = KEY
        first = asyncio.create_task(read(client, None))
        shown = await shown_until(world, first.done)
        events = first.result()
        second = asyncio.create_task(read(client, events[-1].id))
        await asyncio.sleep(0.05)
        await world.complete(task())
        rest = await second

    def steps(of: list[ServerSentEvent]) -> list[Any]:
        return [json.loads(event.data)["step"] for event in of if event.event == "progress"]

    assert events[-1].event == "preview"
    assert max(steps(events)) <= shown
    assert all(step > max(steps(events)) for step in steps(rest))
    assert rest[-1].event == "end"


@pytest.mark.parametrize("leaves", ["at once", "within"])
async def test_a_client_that_leaves_gives_its_slot_back(leaves: str) -> None:
    async with front() as (world, _, url):
        streams = world.front.capacity.streams
        watch = request("GET", "/v1/tasks/owl/events", KEY)
        async with connected(url, [watch] * 20) as connections:
            if leaves == "within":
                await asyncio.gather(*(one.head() for one in connections))
        async with asyncio.timeout(30):
            while streams.taken:
                await asyncio.sleep(0.01)

    assert streams.taken == 0
