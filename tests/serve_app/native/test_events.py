"""Events of a task are streamed as they come, and again from where a client was."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse

from ingest.memory import MemoryKeys
from models.fleet import Demand, StartPhase, Supply
from models.native import TaskView
from models.report import Progress, Report, Stage, Status
from models.settings.api_keys import ApiKey
from serve_app.watching.feed import Intervals
from tests.fences import MINE, OTHER
from tests.serve_app.native.test_submit import problem
from tests.serve_app.world import QUICK, World, serving, task

PNG = b"\x89PNG\r\n\x1a\n rather small"
OWL = task()
DEMAND = Demand(waiting=1, running=0, seconds=5)


@pytest.fixture
async def served(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(world) as client:
        yield client


class Watch:
    """Client of one task's stream of events."""

    def __init__(self, response: httpx.Response, events: AsyncIterator[ServerSentEvent]) -> None:
        self.response = response
        self.events = events

    async def next(self) -> tuple[str, Any]:
        """Read the next event's name and data."""
        event = await self.event()
        return event.event, json.loads(event.data)

    async def event(self) -> ServerSentEvent:
        async with asyncio.timeout(10):
            return await anext(self.events)

    async def rest(self) -> list[ServerSentEvent]:
        """Read all events to the end of the stream."""
        async with asyncio.timeout(10):
            return [event async for event in self.events]


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, last: str | None = None, path: str = "owl"
) -> AsyncIterator[Watch]:
    headers = {"Last-Event-ID": last} if last else {}
    url = f"/v1/tasks/{path}/events"
    async with aconnect_sse(client, "GET", url, headers=headers) as source:
        yield Watch(source.response, aiter(source.aiter_sse()))


def names(events: list[ServerSentEvent]) -> list[str]:
    return [event.event for event in events]


async def test_a_task_is_watched_from_its_queue_to_its_end(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.ledger.queue(OWL, "ana")
    async with watching(served) as watch:
        queued = await watch.next()
        await world.run(OWL)
        running = await watch.next()
        world.board.publish("s1", Progress(step=1, of=4))
        progress = await watch.next()
        world.board.publish("s1", Progress(step=2, of=4, preview=PNG))
        both = [await watch.next(), await watch.next()]
        report = await world.complete(OWL)
        rest = await watch.rest()

    waits = {"position": 0, "eta_seconds": None, "phase": "1st in the queue", "why": None}
    runs = {**dict.fromkeys(waits), "phase": "running"}
    assert queued == ("status", {"status": "queued", "attempt": 0, **waits})
    assert running[1] == {"status": "running", "attempt": 1, **runs}
    assert progress == ("progress", {"step": 1, "of": 4})
    picture = {"content_type": "image/png", "data": base64.b64encode(PNG).decode()}
    assert both == [("progress", {"step": 2, "of": 4}), ("preview", picture)]
    assert names(rest) == ["artifact", "artifact", "end"]
    assert [json.loads(e.data)["uri"] for e in rest[:2]] == list(report.artifacts)
    assert TaskView.model_validate_json(rest[-1].data).status == "completed"
    assert (await served.get("/v1/tasks/owl")).json() == json.loads(rest[-1].data)


async def test_the_stream_is_for_browsers_and_proxies(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.ledger.queue(OWL)
    async with watching(served) as watch:
        first = await watch.event()

    headers = watch.response.headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert first.retry == 2000


async def test_who_comes_later_is_told_what_is_known(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.run(OWL)
    for step in range(1, 4):
        world.board.publish("s1", Progress(step=step, of=9, preview=PNG if step < 3 else None))
    async with watching(served) as watch:
        told = [await watch.next() for _ in range(4)]

    assert [name for name, _ in told] == ["status", "progress", "preview", "progress"]
    assert told[0][1]["status"] == "running"
    assert [told[1][1]["step"], told[3][1]["step"]] == [2, 3]


async def test_a_client_goes_on_where_it_was(world: World, served: httpx.AsyncClient) -> None:
    await world.run(OWL)
    world.board.publish("s1", Progress(step=1, of=9, preview=PNG))
    async with watching(served) as watch:
        told = [await watch.event() for _ in range(3)]
    world.board.publish("s1", Progress(step=2, of=9))
    async with watching(served, last=told[1].id) as within:
        rest = [await within.event() for _ in range(2)]
    async with watching(served, last=told[2].id) as behind:
        last = await behind.event()

    assert names(told) == ["status", "progress", "preview"]
    assert [event.id.split(".")[0] for event in told] == [world.board.boot] * 3
    assert names(rest) == ["preview", "progress"]
    assert json.loads(last.data) == {"step": 2, "of": 9}


@pytest.mark.parametrize("last", ["0a0b0c0d.99.1", "ledger.0.1", "nonsense", "a.b.c", "1.2"])
async def test_after_another_life_of_the_board_all_is_told(
    world: World, served: httpx.AsyncClient, last: str
) -> None:
    await world.run(OWL)
    world.board.publish("s1", Progress(step=1, of=9))
    async with watching(served, last=last) as watch:
        told = [await watch.event() for _ in range(2)]

    assert names(told) == ["status", "progress"]


async def test_a_retried_task_is_told_by_its_attempts(
    world: World, served: httpx.AsyncClient
) -> None:
    first = await world.run(OWL)
    async with watching(served) as watch:
        told = [await watch.next()]
        world.board.publish("s1", Report.of(OWL, Status.QUEUED, 1))
        await world.ledger.requeue(first, MINE)
        told.append(await watch.next())
        await world.run(OWL, OTHER)
        while told[-1][1]["status"] != "running":
            told.append(await watch.next())

    states = [(data["status"], data["attempt"]) for _, data in told]
    assert (states[0], states[1], states[-1]) == (("running", 1), ("queued", 1), ("running", 2))


async def test_an_old_task_has_ids_that_stay(world: World, served: httpx.AsyncClient) -> None:
    await world.complete(OWL)
    world.ingest.go()
    async with watching(served) as watch:
        told = await watch.rest()
    async with watching(served, last=told[0].id) as watch:
        rest = await watch.rest()

    assert names(told) == ["artifact", "artifact", "end"]
    assert [event.id for event in rest] == [event.id for event in told[1:]]


async def test_a_watched_end_has_the_ids_of_an_old_one(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.run(OWL)
    async with watching(served) as watch:
        await watch.next()
        await world.complete(OWL)
        live = await watch.rest()
    async with watching(served) as watch:
        old = await watch.rest()

    assert [(e.id, e.event, e.data) for e in live] == [(e.id, e.event, e.data) for e in old]


async def test_after_the_end_nothing_is_told(world: World, served: httpx.AsyncClient) -> None:
    await world.complete(OWL)
    async with watching(served) as watch:
        last = (await watch.rest())[-1].id
    answer = await served.get("/v1/tasks/owl/events", headers={"Last-Event-ID": last})

    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_failure_and_a_cancellation_are_ends(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.ledger.queue(OWL)
    async with watching(served) as watch:
        await watch.next()
        await served.delete("/v1/tasks/owl")
        name, end = await watch.next()

    assert (name, end["status"]) == ("end", "cancelled")


async def test_silence_is_broken() -> None:
    quiet = World(intervals=Intervals(tick=0.01, heartbeat=0.02))
    await quiet.ledger.start(OWL, MINE)
    async with serving(quiet) as client, client.stream("GET", "/v1/tasks/owl/events") as response:
        lines = response.aiter_lines()
        async with asyncio.timeout(10):
            while (await anext(lines)) != ": still here":
                pass
            assert await anext(lines) == ": still here"  # an empty line would be an empty event


async def test_a_changed_position_is_told(world: World) -> None:
    world = World(intervals=QUICK)
    before = task("s0", id="earlier")
    await world.ledger.queue(before)
    await world.ledger.queue(OWL)
    async with serving(world) as client, watching(client) as watch:
        first = await watch.event()
        await world.ledger.start(before, MINE)
        second = await watch.event()

    assert [json.loads(event.data)["position"] for event in (first, second)] == [1, 0]
    assert first.id == second.id == "ledger.0.1"


async def test_a_start_is_told_phase_by_phase_up_to_the_run(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.ledger.queue(OWL)
    await world.feed.ready()
    told = []
    async with watching(served) as watch:
        for supply in (
            Supply(wanted=0),
            Supply(wanted=1, starting=1, phase=StartPhase.NODE),
            Supply(wanted=1, starting=1, phase=StartPhase.NODE, obstacle="no Spot capacity"),
            Supply(wanted=1, starting=1, phase=StartPhase.REPLICA),
            Supply(wanted=1, running=("r1",)),
        ):
            world.scale(supply, DEMAND)
            told.append(await watch.next())
        await world.run(OWL)
        told.append(await watch.next())
        for stage in (Stage.LOADING, Stage.RUNNING):
            world.board.publish("s1", stage)
            told.append(await watch.next())
        world.board.publish("s1", Stage.RUNNING)
        world.board.publish("s1", Progress(step=1, of=9))
        last, _ = await watch.next()

    phases = [(data["phase"], data["why"]) for _, data in told]
    assert phases == [
        ("waiting for a replica", None),
        ("waiting for a node", None),
        ("waiting for a node", "no Spot capacity"),
        ("starting a replica", None),
        ("1st in the queue", None),
        ("running", None),
        ("loading a checkpoint", None),
        ("running", None),
    ]
    assert last == "progress"


async def test_another_estimate_alone_is_told_in_place_of_silence() -> None:
    quiet = World(intervals=replace(QUICK, heartbeat=0.1))
    await quiet.ledger.queue(OWL)
    await quiet.feed.ready()
    start = Supply(wanted=1, starting=1, start_seconds=60)
    etas: list[float | None] = []
    async with serving(quiet) as client, watching(client) as watch:
        for waited in (0, 20, 40):
            quiet.scale(replace(start, starting_seconds=waited), DEMAND)
            while not etas or etas[-1] != 65 - waited:
                name, data = await watch.next()
                etas.append(data["eta_seconds"])

    assert name == "status"
    assert set(etas) <= {None, 65, 45, 25}


async def test_a_task_that_came_by_sns_is_watched(world: World, served: httpx.AsyncClient) -> None:
    foreign = task("0b0c-message-id", id="by/topic")
    await world.run(foreign)
    async with watching(served, path="by/topic") as watch:
        name, _ = await watch.next()
        await world.complete(foreign)
        rest = await watch.rest()

    assert name == "status"
    assert names(rest)[-1] == "end"


async def test_one_sending_is_watched_of_several(world: World, served: httpx.AsyncClient) -> None:
    await world.complete(task("old"))
    await world.ledger.queue(task("new"))
    async with watching(served, path="owl") as watch:
        newest = await watch.next()
    url = "/v1/tasks/owl/events?submission=old"
    async with aconnect_sse(served, "GET", url) as source:
        older = [event async for event in source.aiter_sse()]

    assert newest[1]["status"] == "queued"
    assert json.loads(older[-1].data)["submission"] == "old"


async def test_an_unknown_task_is_no_stream(world: World, served: httpx.AsyncClient) -> None:
    await world.ledger.queue(OWL)
    answers = [
        await served.get("/v1/tasks/nobody/events"),
        await served.get("/v1/tasks/owl/events?submission=other"),
    ]

    assert [problem(answer)[:2] for answer in answers] == [(404, "not-found")] * 2


async def test_a_client_that_leaves_is_watched_for_no_more(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.run(OWL)
    async with watching(served) as watch:
        await watch.next()
    async with asyncio.timeout(10):
        while not world.ingest.unwatches:
            world.board.publish("s1", Progress(step=1, of=9))  # a server notices when it sends
            await asyncio.sleep(0.01)

    assert world.ingest.watches == 1


async def test_a_head_of_a_stream_ends_at_once_and_watches_no_more(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.run(OWL)

    answer = await served.head("/v1/tasks/owl/events")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    async with asyncio.timeout(10):
        while world.ingest.watches != world.ingest.unwatches:
            await asyncio.sleep(0.01)


async def test_an_end_that_ingest_did_not_say_is_told(
    world: World, served: httpx.AsyncClient
) -> None:
    await world.run(OWL)
    async with watching(served) as watch:
        await watch.next()
        await world.ledger.cancel("owl", "s1", MINE)
        name, end = await watch.next()

    assert (name, end["status"]) == ("end", "cancelled")


async def test_an_end_is_told_while_ingest_is_away(world: World, served: httpx.AsyncClient) -> None:
    await world.run(OWL)
    async with watching(served) as watch:
        await watch.next()
        world.ingest.go()
        await world.complete(OWL)
        rest = await watch.rest()

    assert names(rest) == ["artifact", "artifact", "end"]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_another_life_of_ingest_goes_on_telling(
    world: World, served: httpx.AsyncClient, attempt: int
) -> None:
    """The run of one that was killed is taken over, that of one that ended is another attempt."""
    first = await world.run(OWL)
    async with watching(served) as watch:
        told = [await watch.event()]
        if attempt > 1:
            await world.ledger.requeue(first, MINE)
        world.ingest.come_back()
        await world.run(OWL, OTHER)
        world.board.publish("s1", Progress(step=1, of=9))
        told += [await watch.event() for _ in range(attempt)]

    boots = [event.id.split(".")[0] for event in told]
    attempts = [json.loads(event.data)["attempt"] for event in told if event.event == "status"]
    assert names(told) == ["status", *["status"] * (attempt - 1), "progress"]
    assert attempts == [1, 2][:attempt]
    assert boots[0] != boots[-1] == world.board.boot


def keys_of(role: str) -> list[ApiKey]:
    return [ApiKey.model_validate({"name": "cy", "key": "cy's key", "role": role})]


@pytest.mark.parametrize("left", [[], keys_of("viewer")])
async def test_a_stream_ends_with_the_key_that_it_was_asked_for_with(left: list[ApiKey]) -> None:
    store = MemoryKeys(keys_of("operator"))
    world = World(stores=[store])
    await world.run(OWL)
    async with serving(world) as client:
        client.headers["x-api-key"] = "cy's key"
        async with watching(client) as watch:
            await watch.next()
            store.keys = left
            world.clock.now += 5
            rest = await watch.rest()
        async with watching(client) as again:
            refused = again.response.status_code

    assert names(rest) == []
    assert refused == (404 if left else 401)


async def test_a_wait_ends_with_the_key_that_it_was_asked_for_with() -> None:
    store = MemoryKeys(keys_of("artist"))
    world = World(stores=[store])
    async with serving(world) as client, asyncio.timeout(10):
        client.headers["x-api-key"] = "cy's key"
        body = {"runtime": "sdruntime", "kind": "text-to-image", "content": {"prompt": "an owl"}}
        waiting = asyncio.create_task(client.post("/v1/tasks?wait=60", json=body, timeout=20))
        while not world.topic.published:
            await asyncio.sleep(0.01)
        store.keys = []
        world.clock.now += 5
        answer = await waiting

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
