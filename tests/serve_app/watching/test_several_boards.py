"""Feed over several ingest replicas: a task is found wherever it is, and where it goes next."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import pytest
from typing_extensions import override

from models.event import Event
from models.live import Ingests, Live
from models.report import Progress, Report, Stage
from serve_app.watching.feed import Feed
from serve_app.watching.timeline import run_of, timeline
from tests.fences import MINE
from tests.serve_app.world import QUICK, Ingest, World, task

OWL = task()


class Several(Ingests):
    """Ingest replicas that come and go."""

    def __init__(self, *names: str) -> None:
        self.members = {name: Ingest() for name in names}
        self._changed = asyncio.Event()

    @property
    @override
    def there(self) -> Mapping[str, Live]:
        return dict(self.members)

    @override
    async def change(self, known: Collection[str]) -> None:
        while set(known) == set(self.members):
            self._changed.clear()
            await self._changed.wait()

    def come(self, name: str) -> None:
        self.members[name] = Ingest()
        self._changed.set()

    def leave(self, name: str) -> Ingest:
        """Let one drain: nobody reaches it any more, but its stream goes on."""
        gone = self.members.pop(name)
        self._changed.set()
        return gone

    def publish(self, name: str, update: Report | Stage | Progress) -> None:
        self.members[name].there.publish("s1", update)


@pytest.fixture
def ingests() -> Several:
    return Several("a", "b", "c")


@pytest.fixture
async def world(ingests: Several) -> AsyncIterator[World]:
    world = World()
    world.feed = Feed(ingests, world.ledger, QUICK)
    yield world
    await world.feed.close()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.005)


async def told(stream: AsyncGenerator[Sequence[Event], None], step: int) -> None:
    """Read a timeline until it has told this step."""
    async with asyncio.timeout(10):
        async for events in stream:
            if any(isinstance(e.update, Progress) and e.update.step == step for e in events):
                return


async def test_a_task_is_found_wherever_it_is(world: World, ingests: Several) -> None:
    report = await world.ledger.start(OWL, MINE)
    ingests.publish("b", report)
    ingests.publish("b", Stage.LOADING)

    assert (await run_of(world.feed, "s1")).stage is Stage.LOADING


async def test_what_it_says_later_is_told(world: World, ingests: Several) -> None:
    async with aclosing(timeline(world.feed, await world.ledger.start(OWL, MINE))) as stream:
        await anext(stream)
        ingests.publish("c", Progress(step=3, of=9))
        await told(stream, 3)


async def test_a_task_that_comes_to_another_replica_is_told_from_there(
    world: World, ingests: Several
) -> None:
    report = await world.ledger.start(OWL, MINE)
    ingests.publish("a", report)
    async with aclosing(timeline(world.feed, report)) as stream:
        await anext(stream)
        ingests.publish("a", Progress(step=7, of=9))
        await told(stream, 7)
        ingests.publish("b", report)
        ingests.publish("b", Progress(step=1, of=9))
        await told(stream, 1)
        found = await run_of(world.feed, "s1")

    assert found.progress == Progress(step=1, of=9)


async def test_the_latest_attempt_is_believed_whoever_speaks_last(
    world: World, ingests: Several
) -> None:
    report = await world.ledger.start(OWL, MINE)
    async with world.feed.watching("s1") as watcher, world.feed.watching("s2") as probe:
        ingests.publish("b", replace(report, attempt=2))
        ingests.publish("b", Progress(step=1, of=9))
        await until(lambda: len(watcher.all) > 1)
        for update in (report, Stage.LOADING, Progress(step=8, of=9)):
            ingests.publish("a", update)
        ingests.members["a"].there.publish("s2", Stage.LOADING)
        await until(lambda: bool(probe.all))  # so what it said before has come, too
        before = [event.update for event in watcher.all]
        ingests.members["b"].go()
        await until(lambda: watcher.is_lost)
        ingests.publish("a", Progress(step=9, of=9))
        await until(lambda: not watcher.is_lost)

    assert before == [replace(report, attempt=2), Progress(step=1, of=9)]
    assert Progress(step=9, of=9) in [event.update for event in watcher.all]


async def test_the_end_is_believed_though_an_earlier_attempt_tells_it(
    world: World, ingests: Several
) -> None:
    report = await world.ledger.start(OWL, MINE)
    async with world.feed.watching("s1") as watcher:
        ingests.publish("b", replace(report, attempt=2))
        await until(lambda: bool(watcher.all))
        ended = await world.complete(OWL)
        ingests.publish("a", ended)
        await until(lambda: [event.update for event in watcher.all] == [ended])


async def test_what_is_watched_within_a_moment_is_one_call(world: World, ingests: Several) -> None:
    assert await world.feed.ready()
    async with AsyncExitStack() as watching:
        for entering in [
            asyncio.create_task(watching.enter_async_context(world.feed.watching(f"s{number}")))
            for number in range(100)
        ]:
            await entering
        calls = [each.calls for each in ingests.members.values()]
    await until(lambda: all(each.unwatches == 100 for each in ingests.members.values()))

    assert calls == [1, 1, 1]
    assert all(each.calls <= 3 for each in ingests.members.values())


async def test_one_that_hangs_is_waited_for_once(ingests: Several) -> None:
    world = World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, snapshot_wait=600))
    await until_connected(world)
    hung = ingests.members["c"].hold()
    async with asyncio.timeout(10), world.feed.watching("s1"), world.feed.watching("s2") as other:
        ingests.members["a"].there.publish(
            "s2", await world.ledger.start(task("s2", id="fox"), MINE)
        )
        await until(lambda: bool(other.all))
    hung.set()
    await world.feed.close()


async def test_one_that_does_not_begin_to_answer_is_followed_again(ingests: Several) -> None:
    world = World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, opening=0.05, snapshot_wait=600))
    ingests.members["b"] = silent = Silent()
    async with asyncio.timeout(10):
        assert await world.feed.ready()
        await until(lambda: silent.follows > 2)
    await world.feed.close()

    assert not silent.followers


class Silent(Ingest):
    """Ingest that takes calls, and answers none."""

    @override
    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        self.follows += 1
        self.followers += 1
        try:
            await asyncio.Event().wait()
            yield []
        finally:
            self.followers -= 1


async def until_connected(world: World) -> None:
    world.feed.start()
    await until(lambda: world.feed.connected)


async def test_an_end_is_told_once_whoever_tells_it(world: World, ingests: Several) -> None:
    report = await world.ledger.start(OWL, MINE)
    ingests.publish("a", report)
    async with aclosing(timeline(world.feed, report)) as stream:
        await anext(stream)
        ended = await world.complete(OWL)
        for name in "bac":
            ingests.publish(name, ended)
        ingests.publish("a", Progress(step=9, of=9))
        async with asyncio.timeout(10):
            rest = [event async for events in stream for event in events]

    assert [event.update for event in rest] == [ended]


async def test_one_that_dies_is_missed_by_its_own_tasks_alone(
    world: World, ingests: Several
) -> None:
    owl, fox = (
        await world.ledger.start(OWL, MINE),
        await world.ledger.start(task("s2", id="fox"), MINE),
    )
    ingests.publish("a", owl)
    ingests.members["b"].there.publish("s2", fox)
    async with world.feed.watching("s1") as of_owl, world.feed.watching("s2") as of_fox:
        await until(lambda: bool(of_owl.all and of_fox.all))
        ingests.members["a"].go()
        await until(lambda: of_owl.is_lost)

        assert not of_owl.all
        assert of_fox.all
        assert not of_fox.is_lost
        assert not world.feed.connected
        assert await world.feed.ready()


async def test_the_end_of_a_task_whose_replica_died_is_found_in_the_ledger() -> None:
    ingests, world = Several("a", "b"), World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, ledger_check=600))
    report = await world.ledger.start(OWL, MINE)
    ingests.publish("a", report)
    async with aclosing(timeline(world.feed, report)) as stream:
        await anext(stream)
        ingests.leave("a").go()
        ended = await world.complete(OWL)
        async with asyncio.timeout(10):
            rest = [event async for events in stream for event in events]
    await world.feed.close()

    assert rest[-1].update == ended


async def test_the_end_of_a_task_is_found_though_its_replica_drained_before() -> None:
    ingests, world = Several("a", "b"), World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, ledger_check=600))
    report = await world.ledger.start(OWL, MINE)
    ingests.publish("a", report)
    ingests.leave("a")
    async with aclosing(timeline(world.feed, report)) as stream:
        await anext(stream)
        ended = await world.complete(OWL)
        async with asyncio.timeout(10):
            rest = [event async for events in stream for event in events]
    await world.feed.close()

    assert rest[-1].update == ended


async def test_nobody_follows_one_that_drains(world: World, ingests: Several) -> None:
    assert await world.feed.ready()
    gone = ingests.leave("b")
    await until(lambda: not gone.followers)

    assert await world.feed.ready()
    assert world.feed.connected


async def test_one_that_comes_is_asked_for_what_is_watched(world: World, ingests: Several) -> None:
    report = await world.ledger.start(OWL, MINE)
    async with aclosing(timeline(world.feed, report)) as stream:
        await anext(stream)
        ingests.come("d")
        await until(lambda: ingests.members["d"].watches == 1)
        ingests.publish("d", Progress(step=2, of=9))
        await told(stream, 2)


async def test_all_are_let_go_of_what_nobody_watches_any_more(
    world: World, ingests: Several
) -> None:
    slow = ingests.members["c"].hold()
    async with world.feed.watching("s1"):
        await until(lambda: all(each.watches for each in ingests.members.values()))
    await until(lambda: all(ingests.members[name].unwatches for name in "ab"))
    slow.set()
    await until(lambda: ingests.members["c"].unwatches == 1)


async def test_nobody_waits_for_those_that_are_gone() -> None:
    ingests, world = Several("a"), World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, snapshot_wait=600))
    await until_connected(world)
    ingests.leave("a")
    await until(lambda: not world.feed.connected)

    async with asyncio.timeout(10):
        assert not await world.feed.ready()
    await world.feed.close()


async def test_while_there_is_none_the_feed_is_not_ready() -> None:
    ingests, world = Several(), World()
    world.feed = Feed(ingests, world.ledger, replace(QUICK, snapshot_wait=0.02))

    assert not await world.feed.ready()
    ingests.come("a")
    await until(lambda: world.feed.connected)
    assert await world.feed.ready()
    await world.feed.close()
