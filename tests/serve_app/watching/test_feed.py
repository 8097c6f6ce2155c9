"""Feed: one stream from ingest serves all watchers, however slow they are."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import pytest

from ingest.board import Board
from models.event import Event
from models.report import Progress, Report, Stage
from serve_app.watching.timeline import Run, end_of, run_of, timeline
from tests.fences import MINE
from tests.serve_app.world import QUICK, World, task

OWL = task()
Stream = AsyncGenerator[Sequence[Event], None]


@asynccontextmanager
async def watched(world: World, report: Report) -> AsyncIterator[Stream]:
    async with aclosing(timeline(world.feed, report)) as stream:
        yield stream


async def news(stream: Stream) -> Sequence[Event]:
    """Wait for the next events, past the times when there are none."""
    async with asyncio.timeout(10):
        while not (events := await anext(stream)):
            pass
        return events


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.005)


def steps(events: Sequence[Event]) -> list[int]:
    return [event.update.step for event in events if isinstance(event.update, Progress)]


async def test_a_slow_watcher_is_told_the_newest_progress(world: World) -> None:
    report = await world.run(OWL)
    async with watched(world, report) as slow, watched(world, report) as quick:
        await news(slow)
        await news(quick)
        for step in range(1, 101):
            world.board.publish(
                "s1", Progress(step=step, of=100, preview=b"x" if step < 50 else None)
            )
        while steps(await news(quick))[-1] < 100:
            pass
        told = steps(await news(slow))

    assert told == [49, 100]  # with the newest preview, and the newest


async def test_many_watchers_are_one_follower(world: World) -> None:
    report = await world.run(OWL)
    streams = [timeline(world.feed, report) for _ in range(50)]
    await asyncio.gather(*map(news, streams))
    world.board.publish("s1", Progress(step=1, of=9))
    told = await asyncio.gather(*map(news, streams))
    await asyncio.gather(*(stream.aclose() for stream in streams))
    await until(lambda: world.ingest.unwatches == 1)

    assert [steps(events) for events in told] == [[1]] * 50
    assert (world.ingest.follows, world.ingest.watches) == (1, 1)


async def test_a_watcher_takes_little_memory(world: World) -> None:
    reports = [await world.run(task(f"s{n}", id=f"owl-{n}")) for n in range(500)]
    await world.feed.ready()
    tracemalloc.start()
    streams = [timeline(world.feed, report) for report in reports]
    await asyncio.gather(*map(news, streams))
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await asyncio.gather(*(stream.aclose() for stream in streams))

    assert taken / len(streams) < 12_000


async def test_what_is_watched_again_is_asked_for_again(world: World) -> None:
    report = await world.run(OWL)
    async with watched(world, report) as stream:
        await news(stream)
    await until(lambda: world.ingest.unwatches == 1)
    async with watched(world, report) as stream:
        await news(stream)
        world.board.publish("s1", Progress(step=1, of=9))
        told = await news(stream)

    assert steps(told) == [1]
    assert world.ingest.watches == 2


async def test_who_comes_while_it_is_let_go_is_told_all_the_same(world: World) -> None:
    report = await world.run(OWL)
    async with watched(world, report) as stream:
        await news(stream)
        held = world.ingest.hold()
    await until(lambda: world.ingest.unwatches == 1)
    async with watched(world, report) as stream:
        coming = asyncio.create_task(news(stream))
        await asyncio.sleep(0)
        held.set()
        await coming
        world.board.publish("s1", Progress(step=1, of=9))
        told = await news(stream)

    assert steps(told) == [1]


async def test_what_is_said_before_the_answer_comes_is_told(world: World) -> None:
    report = await world.run(OWL)
    other = await world.run(task("s2", id="other"))
    async with watched(world, other) as probe, watched(world, report) as stream:
        await news(probe)
        held = world.ingest.hold()
        coming = asyncio.create_task(news(stream))
        await until(lambda: world.ingest.watches == 2)
        world.board.publish("s1", Progress(step=1, of=9))
        world.board.publish("s2", Progress(step=1, of=9))
        await news(probe)  # so the other has come, too
        held.set()
        told = await coming

    assert told[0].update == report
    assert steps(told) == [1]


async def test_who_polls_does_not_ask_ingest_each_time() -> None:
    world = World(intervals=replace(QUICK, linger=60))
    await world.run(OWL)
    await world.feed.ready()
    async with asyncio.timeout(10):
        for step in (1, 2, 3):
            world.board.publish("s1", progress := Progress(step=step, of=9))
            while (await run_of(world.feed, "s1")).progress != progress:
                await asyncio.sleep(0)
    await world.feed.close()

    assert (world.ingest.watches, world.ingest.unwatches) == (1, 0)


async def test_who_is_the_first_to_ask_is_told_what_the_board_knows(world: World) -> None:
    await world.run(OWL)
    world.board.publish("s1", Stage.LOADING)

    assert (await run_of(world.feed, "s1")).stage is Stage.LOADING


async def test_a_broken_stream_is_followed_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(world, await world.run(OWL)) as stream:
        first = await news(stream)
        world.board.publish("s1", Progress(step=1, of=9))
        world.ingest.cut()
        world.board.publish("s1", Progress(step=2, of=9))
        told = await news(stream)
        while steps(told)[-1] < 2:
            told = [*told, *await news(stream)]
        await until(lambda: world.ingest.follows == 2)

    assert len({event.number for event in (*first, *told)}) == len([*first, *told])
    assert "feed_lost" in caplog.messages


async def test_ingest_is_waited_for() -> None:
    world = World(intervals=replace(QUICK, snapshot_wait=0.01))
    report = await world.ledger.start(OWL, MINE)
    world.ingest.go()
    async with watched(world, report) as stream:
        await news(stream)
        await until(lambda: world.ingest.follows >= 3)
        world.ingest.come_back()
        world.board.publish("s1", Progress(step=1, of=9))
        told = await news(stream)
        while not steps(told):
            told = await news(stream)
    await world.feed.close()

    assert steps(told) == [1]


async def test_a_follower_that_the_board_has_forgotten_follows_again(world: World) -> None:
    async with watched(world, await world.run(OWL)) as stream:
        await news(stream)
        world.ingest.board = Board()  # and nothing says so
        other = await world.run(task("s2", id="other"))
        async with watched(world, other) as second:
            told = await news(second)
        world.board.publish("s1", Progress(step=1, of=9))
        while not steps(await news(stream)):
            pass

    assert told[0].boot == world.board.boot
    assert world.ingest.follows == 2


async def test_an_end_is_the_last(world: World) -> None:
    async with watched(world, await world.run(OWL)) as stream:
        await news(stream)
        ended = await world.complete(OWL)
        world.board.publish("s1", Progress(step=9, of=9))  # of another delivery
        told = await news(stream)

        assert [event.update for event in told] == [ended]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_an_end_is_waited_for_no_longer_than_asked(world: World) -> None:
    report = await world.run(OWL)

    assert await end_of(world.feed, report, 0.01) is None
    await world.complete(OWL)
    assert await end_of(world.feed, report, 60) == await world.ledger.find("owl")


async def test_progress_is_not_waited_for_where_ingest_is_away(world: World) -> None:
    world.ingest.go()

    assert await run_of(world.feed, "s1") == Run()
    assert world.ingest.watches == 0


async def test_a_feed_is_closed_while_it_breaks(world: World) -> None:
    for steps_into_it in range(12):
        assert await world.feed.ready()
        world.ingest.cut()
        for _ in range(steps_into_it):
            await asyncio.sleep(0)
        await asyncio.wait_for(world.feed.close(), 10)


async def test_while_ingest_is_away_the_ledger_tells() -> None:
    world = World(intervals=replace(QUICK, snapshot_wait=0.01, ledger_check=60))
    await world.ledger.queue(OWL)
    world.ingest.go()
    queued = await world.ledger.find("owl")
    assert queued
    async with watched(world, queued) as stream:
        first = await news(stream)
        running = await world.ledger.start(OWL, MINE)
        while (told := (await news(stream))[-1].update) == queued:
            pass
        await world.complete(OWL)
        while not (last := (await news(stream))[-1].update).ended:  # type: ignore[union-attr]
            pass
    await world.feed.close()

    assert [event.update for event in first] == [queued]
    assert told == running
    assert last == await world.ledger.find("owl")


async def test_while_ingest_is_heard_the_ledger_is_looked_at_all_the_same() -> None:
    world = World(intervals=replace(QUICK, ledger_check_alone=60))
    async with watched(world, await world.run(OWL)) as stream:
        await news(stream)
        cancelled = await world.ledger.cancel("owl", "s1", MINE)
        told = await news(stream)
    await world.feed.close()

    assert [event.update for event in told] == [cancelled]


async def test_a_closed_feed_follows_no_more(world: World) -> None:
    await world.feed.ready()
    await world.feed.close()
    told = world.board.follow("another")
    await anext(told)

    assert await world.board.watch("another", ["s1"], []) == {"s1": []}
    assert world.ingest.follows == 1
