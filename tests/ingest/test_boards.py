"""Boards: what several ingest replicas know is one answer, and a silent one is told from none."""

import asyncio
import gc
from collections.abc import Mapping
from dataclasses import replace

import pytest
from typing_extensions import override

from ingest.board import Board
from ingest.boards import Boards, FixedIngests
from models.errors import Unavailable
from models.fleet import Demand, Supply
from models.live import Pace
from models.report import Report, Status
from models.task import Task
from tests.ingest.world import until

TASK = Task(submission="s1", id="a", runtime="sketcher", kind="text-to-image", prefix="p")
CANCELLED = Report.of(TASK, Status.CANCELLED)


class Silent(Board):
    @override
    async def stop(self, report: Report) -> None:
        raise Unavailable("ingest b did not answer")

    @override
    async def paces(self) -> Mapping[str, Pace]:
        raise Unavailable("ingest b did not answer")


def boards(*each: Board) -> Boards:
    return Boards(FixedIngests(dict(zip("abc", each, strict=False))))


async def test_a_task_is_stopped_wherever_it_is() -> None:
    there = (Board(), Board(), Board())
    ended: list[str] = []
    with (
        there[1].holding("sketcher", "s1"),
        there[1].stops.running("s1", lambda: ended.append("b")),
    ):
        await boards(*there).stop(CANCELLED)

    assert ended == ["b"]
    # Nobody else begins it, either, when its message comes back.
    assert all(board.stops.is_stopped("s1") for board in there)


@pytest.mark.parametrize("there", [(Board(), Silent()), (Silent(),), ()])
async def test_one_that_is_silent_may_hold_it(there: tuple[Board, ...]) -> None:
    with pytest.raises(Unavailable):
        await boards(*there).stop(CANCELLED)


async def test_who_is_not_asked_any_more_leaves_no_question_behind() -> None:
    asking = asyncio.create_task(boards(Board(), Board()).paces())
    await asyncio.sleep(0)  # its questions are tasks now, none of which has begun
    asking.cancel()
    await asyncio.wait([asking])
    gc.collect()  # of a coroutine that nobody has awaited, Python warns, and pytest fails

    assert asking.cancelled()


async def test_paces_are_added_up() -> None:
    one, other = Board(), Board()
    supplies = [Supply(wanted=2, running=("r", "s"), beat=beat) for beat in (7, 8)]
    for board, supply in zip((one, other), supplies, strict=True):
        board.runtimes.of("sketcher").take(supply)
    first, second = one.holding("sketcher", "s1"), other.holding("sketcher", "s2")
    with first as hold, second, hold.waiting(None):
        hold.begin()
        one.runtimes.of("sketcher").measure(0)
        other.runtimes.of("sketcher").measure(0)
        pace = (await boards(one, other).paces())["sketcher"]

    assert (pace.leased, pace.running) == (2, 1)
    assert pace.demand == Demand(waiting=0, running=1, beat=2)
    assert pace.supply == supplies[1]


async def test_checkpoints_and_seconds_are_those_that_any_has_seen() -> None:
    one, other = Board(), Board()
    for board, replica, checkpoint, run in ((one, "r", "owl", 2.0), (other, "s", "fox", 4.0)):
        ran = Report.of(TASK, Status.RUNNING, 1).completed((), "s3://o/a.out", {"run": run})
        report = replace(ran, replica=replica, checkpoint=checkpoint)
        board.runtimes.of("sketcher").add(report, checkpoint)

    pace = (await boards(one, other, Board()).paces())["sketcher"]

    assert (pace.checkpoints, pace.seconds) == (("fox", "owl"), 3.0)


async def test_of_each_replica_that_runs_one_checkpoint_is_told() -> None:
    now = [1.0]
    one, other = Board(lambda: now[0]), Board(lambda: now[0])
    ran = Report.of(TASK, Status.RUNNING, 1).completed((), "s3://o/a.out", {"run": 1.0})
    for board, replica, checkpoint in (
        (one, "r", "owl"),
        (other, "r", "fox"),
        (one, "gone", "elk"),
    ):
        now[0] += 1
        report = replace(ran, replica=replica, checkpoint=checkpoint)
        board.runtimes.of("sketcher").add(report, checkpoint)
    other.runtimes.of("sketcher").take(Supply(wanted=1, running=("r",), beat=1))

    pace = (await boards(one, other).paces())["sketcher"]

    assert pace.checkpoints == ("fox",)


class Hung(Board):
    """Board that answers no stop until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.stopped: list[Report] = []

    @override
    async def stop(self, report: Report) -> None:
        await self.may.wait()
        self.stopped.append(report)


async def test_cancels_wait_once_for_one_that_hangs_which_stops_them_all_the_same() -> None:
    hung, well = Hung(), Board()
    there = boards(hung, well)
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(3):
        began = loop.time()
        with pytest.raises(Unavailable, match="did not answer within"):
            await there.stop(CANCELLED)
        waits.append(loop.time() - began)
    hung.may.set()
    await until(lambda: len(hung.stopped) == 3)
    await there.stop(CANCELLED)

    assert well.stops.is_stopped("s1")
    assert waits[1] + waits[2] < waits[0] < 2


async def test_a_runtime_that_one_alone_has_worked_for_is_among_them() -> None:
    one, other = Board(), Board()
    one.runtimes.of("sketcher")
    other.runtimes.of("painter")

    assert set(await boards(one, other).paces()) == {"sketcher", "painter"}


async def test_those_that_answer_are_enough_for_a_pace() -> None:
    board = Board()
    with board.holding("sketcher", "s1"):
        paces = await boards(Silent(), board).paces()

    assert paces["sketcher"].leased == 1


@pytest.mark.parametrize("there", [(Silent(), Silent()), ()])
async def test_a_pace_is_unknown_where_none_answers(there: tuple[Board, ...]) -> None:
    with pytest.raises(Unavailable):
        await boards(*there).paces()
