"""Ingest replicas that drain are asked on until they are gone, and known to a new front, too."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing

import pytest
from typing_extensions import override

from ingest.boards import Boards
from models.errors import Unavailable
from models.live import Live
from models.report import Progress, Report
from serve_app.ingest_replicas import Draining, IngestReplicas
from serve_app.presence import Presence
from serve_app.watching.feed import Feed
from serve_app.watching.timeline import run_of, timeline
from tests.fences import MINE, OTHER
from tests.serve_app.watching.test_several_boards import told, until
from tests.serve_app.world import QUICK, Ingest, World, task

OWL = task()


class Processes(Draining):
    """Processes of ingest replicas by their names, listed by Serve or not."""

    def __init__(self) -> None:
        self.there: dict[str, Ingest] = {}
        self.noted: set[str] = set()
        self.away = False

    @override
    async def names(self) -> Collection[str]:
        if self.away:
            raise Unavailable("Ray's head did not answer")
        return set(self.noted)

    @override
    async def find(self, name: str) -> Live | None:
        return self.there.get(name)

    @override
    async def forget(self, name: str) -> None:
        self.noted.discard(name)


@pytest.fixture
def processes() -> Processes:
    processes = Processes()
    processes.there = {name: Ingest() for name in "ab"}
    return processes


@pytest.fixture
def presence() -> Presence:
    presence = Presence()
    presence.update("ab")
    return presence


@pytest.fixture
def replicas(processes: Processes, presence: Presence) -> IngestReplicas:
    return IngestReplicas(presence, lambda name: processes.there[name], processes, 0.02)


@pytest.fixture
async def world(replicas: IngestReplicas) -> AsyncIterator[World]:
    world = World()
    world.feed = Feed(replicas, world.ledger, QUICK)
    yield world
    await world.feed.close()


async def test_a_task_is_told_on_while_its_ingest_drains(
    world: World, processes: Processes, presence: Presence
) -> None:
    report = await world.ledger.start(OWL, MINE)
    drains = processes.there["b"]
    drains.there.publish("s1", report)
    async with aclosing(timeline(world.feed, report)) as stream:
        drains.there.publish("s1", Progress(step=1, of=9))
        await told(stream, 1)
        presence.update("a")
        # Serve waits until the first stream has ended; the second goes to the process itself.
        await until(lambda: (drains.follows, drains.followers) == (2, 1))
        drains.there.publish("s1", Progress(step=2, of=9))
        await told(stream, 2)
        assert (await run_of(world.feed, "s1")).progress == Progress(step=2, of=9)


async def test_a_cancel_reaches_an_ingest_that_drains(
    replicas: IngestReplicas, world: World, processes: Processes, presence: Presence
) -> None:
    assert set(replicas.there) == {"a", "b"}
    presence.update("a")
    with processes.there["b"].there.holding("sdruntime", "s1"):
        await Boards(replicas).stop(await cancelled(world))

    assert processes.there["b"].there.stops.is_stopped("s1")


async def cancelled(world: World) -> Report:
    await world.ledger.start(OWL, MINE)
    report = await world.ledger.cancel(OWL.id, OWL.submission, OTHER)
    assert report is not None
    return report


async def test_one_that_is_gone_is_asked_no_more(
    replicas: IngestReplicas, processes: Processes, presence: Presence
) -> None:
    assert set(replicas.there) == {"a", "b"}
    presence.update("a")
    await replicas.look()
    drains = set(replicas.there)
    del processes.there["b"]
    await replicas.look()

    assert drains == {"a", "b, draining"}
    assert set(replicas.there) == {"a"}


async def test_a_front_that_begins_now_knows_those_that_say_that_they_drain(
    replicas: IngestReplicas, processes: Processes
) -> None:
    processes.there["c"] = Ingest()
    processes.noted = {"c", "killed"}
    await replicas.look()

    assert set(replicas.there) == {"a", "b", "c, draining"}
    assert processes.noted == {"c"}


async def test_one_that_serve_configured_anew_runs_again(
    replicas: IngestReplicas, presence: Presence
) -> None:
    assert set(replicas.there) == {"a", "b"}
    presence.update("a")
    await replicas.look()
    presence.update("ab")
    back = set(replicas.there)
    await replicas.look()

    assert back == set(replicas.there) == {"a", "b"}


async def test_who_waits_for_a_change_is_told_that_one_left_before_it_is_looked_for(
    replicas: IngestReplicas, processes: Processes, presence: Presence
) -> None:
    waiting = asyncio.create_task(replicas.change(set(replicas.there)))
    await asyncio.sleep(0.05)
    processes.away = True
    presence.update("a")
    await asyncio.wait_for(waiting, 10)
    left = set(replicas.there)
    processes.away = False
    await asyncio.wait_for(replicas.change(left), 10)

    assert left == {"a"}
    assert set(replicas.there) == {"a", "b, draining"}


async def test_while_the_head_is_away_those_that_drain_are_asked_on(
    replicas: IngestReplicas, processes: Processes, presence: Presence
) -> None:
    assert set(replicas.there) == {"a", "b"}
    presence.update("a")
    await replicas.look()
    processes.away = True
    await replicas.look()

    assert set(replicas.there) == {"a", "b, draining"}
