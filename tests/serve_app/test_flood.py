"""A client's 1,100 streams, or bodies that never come, stop no other; over real sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from models.settings import Settings
from tests.serve_app.native.test_submit import asked
from tests.serve_app.test_api import task as alpha
from tests.serve_app.world import KEY, OTHER_KEY, World, settings, task
from tests.serving import served
from tests.sockets import Connection, connected, request

MANY = 1_100
WATCH = request("GET", "/v1/tasks/owl/events", KEY)
WATCH_OTHERS = request("GET", "/v1/tasks/wren/events", OTHER_KEY)


def stalled(path: str, key: str = KEY) -> bytes:
    """Send a request whose body stops after one byte."""
    return request("POST", path, key, "content-length: 100") + b"{"


@asynccontextmanager
async def front(configured: Settings | None = None) -> AsyncIterator[tuple[World, str]]:
    """Serve a world with a running task of each key; yield it with its URL."""
    world = World(configured=configured)
    await world.ledger.queue(task(), "ana")
    await world.run(task())
    await world.ledger.queue(task("s3", id="wren"), "bo")
    async with served(world.app) as url:
        yield world, url
    await world.feed.close()


async def statuses_of_all_else(world: World, url: str) -> dict[str, int]:
    """Collect the statuses of all other operations meanwhile."""
    own, other = {"x-api-key": KEY}, {"x-api-key": OTHER_KEY}
    mine = task("s2", id="mine")
    await world.ledger.queue(mine, "ana")
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        answers = {
            "healthz": await client.get("/healthz"),
            "readyz": await client.get("/readyz"),
            "submission of the same key": await client.post("/v1/tasks", json=asked(), headers=own),
            "the same on v1alpha2": await client.post("/v1alpha2", json=alpha(), headers=own),
            "submission of another key": await client.post(
                "/v1/tasks", json=asked(), headers=other
            ),
            "cancel": await client.delete("/v1/tasks/mine", headers=own),
        }
    return {what: answer.status_code for what, answer in answers.items()}


ALL_WELL = {
    "healthz": 200,
    "readyz": 200,
    "submission of the same key": 202,
    "the same on v1alpha2": 200,
    "submission of another key": 202,
    "cancel": 200,
}


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


async def answers(connections: list[Connection]) -> Counter[tuple[int, str | None]]:
    """Count the answers by status and ``Retry-After``."""
    heads = await asyncio.gather(*(connection.head() for connection in connections))
    return Counter((status, headers.get("retry-after")) for status, headers in heads)


async def test_all_else_is_answered_beside_1100_streams_of_one_key() -> None:
    async with front() as (world, url), connected(url, [WATCH] * MANY) as connections:
        came = await answers(connections)
        held = world.front.capacity.streams.taken
        beside = await statuses_of_all_else(world, url)
        async with connected(url, [WATCH_OTHERS]) as others:
            other, _ = await others[0].head()
        for connection in connections:
            connection.writer.close()
        await until(lambda: world.front.capacity.streams.taken == 0)

    assert came == {(200, None): 250, (429, "5"): MANY - 250}
    assert held == 250
    assert beside == ALL_WELL
    assert other == 200


@pytest.mark.parametrize("path", ["/v1/tasks", "/v1alpha2"])
async def test_all_else_is_answered_beside_1100_bodies_that_do_not_come(path: str) -> None:
    async with front() as (world, url), connected(url, [stalled(path)] * MANY) as connections:
        bodies = world.front.capacity.bodies
        heads = [asyncio.create_task(one.head()) for one in connections]
        await until(lambda: sum(head.done() for head in heads) == MANY - 32)
        ended = [head.result() for head in heads if head.done()]
        held = bodies.count
        beside = await statuses_of_all_else(world, url)
        still = bodies.count
        for head in heads:
            head.cancel()
        await asyncio.wait(heads)

    assert {(status, told["retry-after"], told["connection"]) for status, told in ended} == {
        (429, "5", "close")
    }
    assert held == 32
    assert beside == ALL_WELL
    assert 32 - 3 <= still <= 32  # each submission of the same key took one's place


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/v1/tasks", "application/problem+json", b"urn:atelier:request-timeout"),
        ("/v1alpha1", "application/json", b'{"message":"The body was not here 0.05 s after'),
    ],
)
async def test_a_body_that_does_not_come_in_time_is_answered(
    path: str, kind: str, said: bytes
) -> None:
    async with (
        front(settings(limits={"bodies": {"seconds": 0.05}})) as (world, url),
        connected(url, [stalled(path)]) as (connection,),
    ):
        status, headers = await connection.head()
        body = await connection.rest()

    assert (status, headers["retry-after"], headers["connection"]) == (408, "1", "close")
    assert headers["content-type"] == kind
    assert said in body
    assert world.front.capacity.bodies.count == 0
    assert not world.topic.published


async def test_all_keys_together_have_a_most_of_streams() -> None:
    few = settings(limits={"streams": {"perKey": 2, "inAll": 3}})
    async with (
        front(few) as (_, url),
        connected(url, [WATCH] * 2) as own,
        connected(url, [WATCH_OTHERS] * 2) as others,
    ):
        first, second = await answers(own), await answers(others)

    assert first == {(200, None): 2}
    assert second == {(200, None): 1, (503, "5"): 1}


async def test_of_all_bodies_one_of_the_key_with_the_most_makes_way() -> None:
    few = settings(limits={"bodies": {"perKey": 3, "inAll": 4}})
    async with (
        front(few) as (world, url),
        connected(url, [stalled("/v1/tasks")] * 3) as own,
        connected(url, [stalled("/v1/tasks", OTHER_KEY)]) as others,
    ):
        await until(lambda: world.front.capacity.bodies.count == 4)
        async with connected(url, [stalled("/v1alpha2", OTHER_KEY)]):
            done, _ = await asyncio.wait(
                [asyncio.create_task(one.head()) for one in (*own, *others)],
                return_when=asyncio.FIRST_COMPLETED,
            )
            ((status, headers),) = [one.result() for one in done]
            count = world.front.capacity.bodies.count

    assert (status, headers["retry-after"]) == (503, "5")
    assert count == 4


async def test_a_waiting_submission_over_the_most_is_not_published() -> None:
    few = settings(limits={"waits": {"perKey": 1, "inAll": 2}})
    async with front(few) as (world, url), httpx.AsyncClient(base_url=url) as client:
        client.headers["x-api-key"] = KEY
        waiting = asyncio.create_task(client.post("/v1/tasks?wait=60", json=asked()))
        await until(lambda: world.front.capacity.waits.taken == 1)
        refused = await client.post("/v1/tasks?wait=60", json=asked())
        without = await client.post("/v1/tasks", json=asked())
        waiting.cancel()
        await asyncio.wait([waiting])
        published = len(world.topic.published)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert refused.json()["type"] == "urn:atelier:too-many-at-once"
    assert without.status_code == 202
    assert published == 2
