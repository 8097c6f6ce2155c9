"""`atelier runtimes`: what can be asked for, and how many replicas there are and why."""

import json

import pytest

from models.fleet import StartPhase, Supply
from tests.atelier.served_platform import Platform
from tests.cli.conftest import Atelier
from tests.cli.terminal import Terminal

STARTING = Supply(
    wanted=3,
    running=("r1",),
    starting=2,
    reason="30 tasks wait: 3 replicas at 10 tasks each",
    obstacle="a node was not started: no Spot capacity",
    phase=StartPhase.NODE,
)
IDLE = Supply(wanted=0, reason="nothing to do")


@pytest.fixture
def scaled(platform: Platform) -> Platform:
    """Platform with a runtime that grows, and one at zero."""
    runtimes = platform.world.board.runtimes
    runtimes.of("sdruntime").take(STARTING)
    runtimes.of("anyruntime").take(IDLE)
    return platform


def test_a_person_is_told_what_runs_what_starts_and_why(scaled: Platform, atelier: Atelier) -> None:
    lines = atelier("runtimes").stdout.splitlines()

    assert lines[0].split()[:2] == ["runtime", "replicas"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["sdruntime", "1"],
        ["3", "wanted"],
        ["2", "starting"],
    ]
    assert lines[-2:] == [
        f"sdruntime: {STARTING.reason}; {STARTING.obstacle}",
        "anyruntime: nothing to do",
    ]
    assert next(line for line in lines[4:] if "anyruntime" in line).split()[:2] == [
        "anyruntime",
        "0",
    ]


def test_a_program_is_told_the_same(scaled: Platform, atelier: Atelier) -> None:
    told = [json.loads(line) for line in atelier("runtimes", "--json").stdout.splitlines()]

    assert [(one["replicas"], one["wanted"], one["starting"]) for one in told] == [
        (1, 3, 2),
        (0, 0, 0),
    ]
    assert (told[0]["reason"], told[0]["obstacle"]) == (STARTING.reason, STARTING.obstacle)


def test_what_ingest_holds_for_a_replica_waits_too(scaled: Platform, atelier: Atelier) -> None:
    board = scaled.world.board
    with board.holding("sdruntime", "s1"), board.holding("sdruntime", "s2") as running:
        running.begin()
        lines = atelier("runtimes").stdout.splitlines()

    assert lines[0].split()[:3] == ["runtime", "replicas", "tasks"]
    assert lines[1].split()[:4] == ["sdruntime", "1", "1", "waiting"]
    assert lines[2].split()[:4] == ["3", "wanted", "1", "running"]


def test_a_runtime_that_never_started_says_so(platform: Platform, atelier: Atelier) -> None:
    never = Supply(wanted=1, starting=1, reason="minReplicas: 1", never_started=True)
    platform.world.board.runtimes.of("sdruntime").take(never)

    assert "sdruntime: minReplicas: 1; none has started yet" in atelier("runtimes").stdout


def test_where_nothing_is_known_the_bounds_are_told(atelier: Atelier) -> None:
    lines = atelier("runtimes").stdout.splitlines()

    assert next(line for line in lines if "sdruntime" in line).split()[:2] == ["sdruntime", "1"]


@pytest.mark.parametrize("columns", [100, 80])
def test_a_terminal_shows_a_table_in_which_nothing_that_counts_is_cut(
    scaled: Platform, columns: int
) -> None:
    with Terminal(scaled.url, "runtimes", columns=columns) as screen:
        assert screen.end() == 0

    for word in (
        "sdruntime",
        "3 wanted",
        "2 starting",
        "replicas",
        "tasks",
        "0 waiting",
        "0 running",
    ):
        assert word in screen.shown


def test_a_narrow_terminal_shows_a_block_for_each(scaled: Platform) -> None:
    with Terminal(scaled.url, "runtimes", columns=40) as screen:
        assert screen.end() == 0

    rows = [" ".join(line.split()) for line in screen.shown.splitlines()]
    for row in ("runtime sdruntime", "replicas 1", "3 wanted", "2 starting", "replicas 0"):
        assert row in rows
