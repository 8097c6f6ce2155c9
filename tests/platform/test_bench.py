"""The measurements of a whole platform run to their end, and keep what the documents say."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench import compare, cost, front, overlap
from tests.bench.short import made_harness, run

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

LOAD = {"per_s", "p50_ms", "p99_ms", "cpu_ms"}
LINE = overlap.Setup(gpu_ms=20, delay_ms=1, backlog=4, singles=2)
FRONT = front.Setup(count=6, at_once=2, held=12, watchers=3, seconds=1)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[overlap.Line]:
    """Platform of three measurements, which the commands start for one each."""
    beside = front.config(tmp_path_factory.mktemp("front"), FRONT)
    with overlap.started(LINE, beside) as line:
        yield line


def kept(out: Path) -> Mapping[str, Any]:
    """Read the figures of the one measurement that a folder has."""
    (path,) = out.glob("*.json")
    figures: Mapping[str, Any] = json.loads(path.read_text())["figures"]
    return figures


def test_the_line(line: overlap.Line, tmp_path: Path) -> None:
    overlap.tell(LINE, overlap.measure(LINE, line), tmp_path)
    figures = kept(tmp_path)

    assert 0 < figures["gpu_busy"] <= 1
    assert figures["tasks_per_s"] > 0
    assert figures["added_min_ms"] <= figures["added_p50_ms"] <= figures["added_max_ms"]
    assert figures["platform_pss_mib"] > 0


def test_what_a_task_costs(line: overlap.Line, tmp_path: Path) -> None:
    setup = compare.Setup(made_harness(tmp_path), "webui", 20, 1, tasks=4, rounds=2)
    cost.tell(setup, cost.cost(setup, line, idle_seconds=3), tmp_path)
    figures = kept(tmp_path)

    assert figures["yardstick"]["rounds"] == [3.0, 3.0]
    assert figures["ingest and a replica, without Ray"]["ratio"] == 1.0
    for name in ("the platform under Ray", "Ray's daemons beside it"):
        assert figures[name]["CPU a task, ms"] > 0
        assert figures[name]["idle, ms a second"] > 0


def test_what_a_task_costs_is_told_without_a_yardstick(line: overlap.Line, tmp_path: Path) -> None:
    setup = compare.Setup(None, "webui", 20, 1, tasks=4, rounds=1)
    cost.tell(setup, cost.cost(setup, line, idle_seconds=1), tmp_path)
    figures = kept(tmp_path)

    assert {"the platform under Ray", "  ingest"} < set(figures)
    assert not {"yardstick", "ingest and a replica, without Ray"} & set(figures)
    assert {each["ratio"] for each in figures.values()} == {None}


async def test_the_front(line: overlap.Line, tmp_path: Path) -> None:
    """Last of the three: its tasks stay."""
    front.tell(FRONT, await front.measure(FRONT, line.platform), tmp_path)
    figures = kept(tmp_path)

    for way in ("healthz", "v1alpha2", "v1"):
        assert set(figures[way]) == LOAD
        assert set(figures[f"{way} beside 12 streams"]) == {*LOAD, "ratio"}
    assert set(figures["3 watch a task each"]) == {"kib_per_watcher", "cpu_percent"}
    assert figures["3 watch one task"]["events_told_to_all"] > 0


def test_the_router(tmp_path: Path) -> None:
    """Tasks that come faster than they are done: a backlog, and no second trace."""
    few = ["--tasks", "80", "--seconds", "0.02", "--load-seconds", "0.2", "--rate", "200"]
    few += ["--replicas", "2", "--search-seconds", "5"]
    by_case = run(tmp_path, "affinity", *few)["arrivals"]

    theirs = by_case["Serve's"]
    for case in ("ours, 1 ingest", "ours, 3 ingests", "simulated, ours, 1 ingest"):
        assert by_case[case]["loads"] < theirs["loads"]
        assert by_case[case]["rate"] > 0
    assert by_case["ours, 1 ingest"]["loads"] < theirs["loads"] / 2
    assert by_case["fewest possible"]["loads"] <= by_case["ours, 1 ingest"]["loads"]
