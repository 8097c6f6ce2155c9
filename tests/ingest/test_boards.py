"""Boards: what several ingest replicas know is one answer, and a silent one is told from none."""

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
