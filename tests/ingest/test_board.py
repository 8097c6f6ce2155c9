"""Board: updates reach the followers that watch a submission, and little of them is kept."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from ingest.board import Board
from models.event import Event, Update
from models.report import Progress, Report, Stage, Status
from models.task import Task

TASK = Task(submission="s1", id="a", runtime="painter", kind="text-to-image")
QUEUED = Report.of(TASK, Status.QUEUED, 1)
RUNNING = Report.of(TASK, Status.RUNNING, 1)
DONE = RUNNING.completed((), "s3://o/a.out", {"load": 1.0, "run": 3.0})


@asynccontextmanager
async def following(board: Board, name: str = "front") -> AsyncIterator[list[Event]]:
    """Follow the board while the block runs; collect the events."""
    events: list[Event] = []
    started = asyncio.Event()

    async def follow() -> None:
        async for news in board.follow(name):
            events.extend(news)
            started.set()

    task = asyncio.create_task(follow())
    await started.wait()
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.wait([task])


async def collected(events: list[Event], count: int) -> list[Update]:
    async with asyncio.timeout(5):
        while len(events) < count:
            await asyncio.sleep(0)
    return _updates(events)


async def watched(board: Board) -> Sequence[Event]:
    """Let the follower watch a submission; return the events of its snapshot."""
    snapshots = await board.watch("front", ["s1"], [])
    assert snapshots is not None
    return snapshots["s1"]


def _updates(events: Sequence[Event]) -> list[Update]:
    return [event.update for event in events]


async def test_a_follower_is_told_what_it_watches_and_nothing_else() -> None:
    board = Board()
    async with following(board) as events:
        await watched(board)
        board.publish("s2", RUNNING)
        board.publish("s1", RUNNING)
        await collected(events, 1)
        await board.watch("front", [], ["s1"])
        board.publish("s1", DONE)
        await asyncio.sleep(0)

    assert _updates(events) == [RUNNING]


async def test_who_comes_late_is_told_what_was_said_with_the_newest_progress_only() -> None:
    board = Board()
    with board.holding("painter", "s1"):
        board.publish("s1", RUNNING)
        for step in range(1, 6):
            preview = b"picture" if step == 2 else None
            board.publish("s1", Progress(step=step, of=6, preview=preview))
        async with following(board):
            known = await watched(board)

    assert _updates(known) == [
        RUNNING,
        Progress(step=2, of=6, preview=b"picture"),
        Progress(step=5, of=6),
    ]
    assert [event.number for event in known] == [1, 3, 6]
    assert {event.boot for event in known} == {board.boot}


async def test_a_slow_follower_is_told_the_newest_progress() -> None:
    board = Board()
    async with following(board) as events:
        await watched(board)
        for step in range(1, 100):
            board.publish("s1", Progress(step=step, of=100))
        updates = await collected(events, 1)

    assert updates == [Progress(step=99, of=100)]


async def test_a_stage_is_told_until_another_follows_or_the_status_changes() -> None:
    board = Board()
    async with following(board):
        with board.holding("painter", "s1"):
            board.publish("s1", RUNNING)
            board.publish("s1", Stage.RUNNING)
            board.publish("s1", Stage.LOADING)
            loading = await watched(board)
            board.publish("s1", QUEUED)
            again = await watched(board)

    assert _updates(loading) == [RUNNING, Stage.LOADING]
    assert _updates(again) == [RUNNING, QUEUED]


async def test_who_does_not_follow_cannot_watch() -> None:
    board = Board()

    assert await board.watch("front", ["s1"], []) is None


async def test_a_follower_that_left_is_forgotten_but_not_one_that_came_back() -> None:
    board = Board()
    async with following(board), following(board) as again:
        pass
    async with following(board) as again:
        await watched(board)
        board.publish("s1", RUNNING)
        await collected(again, 1)

    assert await board.watch("front", ["s1"], []) is None


async def test_what_ended_is_kept_for_a_while_without_its_preview_and_then_forgotten() -> None:
    board = Board()
    with board.holding("painter", "s1"):
        board.publish("s1", Progress(step=1, of=2, preview=b"picture"))
        board.publish("s1", DONE)
    async with following(board):
        kept = await watched(board)
        for number in range(1_000):
            board.publish(f"other-{number}", DONE)
        forgotten = await watched(board)

    assert DONE in _updates(kept)
    assert forgotten == []


async def test_what_was_handed_back_is_not_kept() -> None:
    board = Board()
    with board.holding("painter", "s1"):
        board.publish("s1", RUNNING)
    async with following(board):
        assert await watched(board) == []


async def test_a_stop_ends_what_runs_and_what_will() -> None:
    board, stopped = Board(), []
    with board.holding("painter", "s1"):
        with board.stops.running("s1", lambda: stopped.append(1)):
            await board.stop(RUNNING.cancelled())
        with board.stops.running("s1", lambda: stopped.append(2)):
            pass

    assert stopped == [1, 2]


async def test_a_stop_of_what_nobody_holds_is_told_to_those_who_watch() -> None:
    board = Board()
    async with following(board) as events:
        await watched(board)
        await board.stop(RUNNING.cancelled())
        updates = await collected(events, 1)

    assert updates == [RUNNING.cancelled()]
    assert board.stops.is_stopped("s1")


async def test_the_pace_follows_what_was_completed() -> None:
    board = Board()
    with (
        board.holding("painter", "s1") as first,
        board.holding("painter", "s2") as second,
        first.waiting(None),
        second.waiting(None),
    ):
        first.begin()
        pace = (await board.paces())["painter"]
        first.add(DONE)
        second.add(RUNNING.cancelled())
    after = (await board.paces())["painter"]

    assert (pace.leased, pace.running, pace.seconds) == (2, 1, None)
    assert (after.leased, after.running, after.seconds) == (0, 0, 4.0)
