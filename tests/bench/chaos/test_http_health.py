"""Absence of the HTTP API is seen while nothing is sent, and while it has not ended."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.chaos.http_health import HttpHealth
from bench.chaos.stalls import longest
from tests.ingest.world import until


async def test_an_absence_that_has_not_ended_counts() -> None:
    health = HttpHealth()
    health.note(good=False)
    await asyncio.sleep(0.02)

    assert longest(health.away) >= 0.02
    assert health.refusals == 1


async def test_it_is_asked_while_nothing_is_sent() -> None:
    answers = iter([200, 503, 503])

    async def healthz(_: Request) -> Response:
        return Response(status_code=next(answers, 200))

    server = httpx.ASGITransport(Starlette(routes=[Route("/healthz", healthz)]))
    health = HttpHealth()
    async with httpx.AsyncClient(transport=server, base_url="http://front") as http:
        watching = asyncio.create_task(health.watch(http))
        await until(lambda: longest(health.away) > 0)
        watching.cancel()

    assert health.refusals == 0
