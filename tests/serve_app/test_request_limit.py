"""Requests under way at once are limited; probes have slots of their own."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from serve_app.api import busy
from serve_app.request_limit import MOST_PROBES, RequestLimit


class Held:
    """Application whose answers wait until they are released."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.there = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.there += 1
        try:
            await self.go.wait()
            await PlainTextResponse("done")(scope, receive, send)
        finally:
            self.there -= 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/v1/tasks", "application/problem+json"), ("/v1alpha2", "text/plain; charset=utf-8")],
)
async def test_one_request_more_than_there_is_room_for_is_told_when_to_come_again(
    path: str, kind: str
) -> None:
    held = Held()
    transport = httpx.ASGITransport(RequestLimit(held, 3, busy))
    async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
        tasks = [asyncio.create_task(client.post(path)) for _ in range(3)]
        while held.there < 3:
            await asyncio.sleep(0)
        refused = await client.post(path)
        probe = asyncio.create_task(client.get("/healthz"))
        while held.there < 4:
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.wait([tasks[0]])
        again = asyncio.create_task(client.post(path))
        while held.there < 4:
            await asyncio.sleep(0)
        held.go.set()
        answers = [await task for task in (*tasks[1:], probe, again)]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.headers["content-type"] == kind
    assert {answer.status_code for answer in answers} == {200}


async def test_probes_have_room_of_their_own_and_no_more() -> None:
    held = Held()
    transport = httpx.ASGITransport(RequestLimit(held, 1, busy))
    async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
        probes = [asyncio.create_task(client.get("/readyz")) for _ in range(MOST_PROBES)]
        while held.there < MOST_PROBES:
            await asyncio.sleep(0)
        refused = await client.get("/healthz")
        request = asyncio.create_task(client.get("/v1/tasks"))
        while held.there < MOST_PROBES + 1:
            await asyncio.sleep(0)
        held.go.set()
        answers = [await task for task in (*probes, request)]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert {answer.status_code for answer in answers} == {200}
