"""The measurements of a whole platform run to their end, and keep what the documents say."""

from pathlib import Path

import pytest

from tests.bench.short import made_harness, run

pytestmark = pytest.mark.ray

LOAD = {"per_s", "p50_ms", "p99_ms", "cpu_ms"}


def test_the_front(tmp_path: Path) -> None:
    few = ["--count", "6", "--at-once", "2", "--held", "12", "--watchers", "3", "--seconds", "1"]
    figures = run(tmp_path, "front", *few)

    for way in ("healthz", "v1alpha2", "v1"):
        assert set(figures[way]) == LOAD
        assert set(figures[f"{way} beside 12 streams"]) == {*LOAD, "ratio"}
    assert set(figures["3 watch a task each"]) == {"kib_per_watcher", "cpu_percent"}
    assert figures["3 watch one task"]["events_told_to_all"] > 0


def test_the_line(tmp_path: Path) -> None:
    few = ["--gpu-ms", "20", "--delay-ms", "1", "--backlog", "4", "--singles", "2"]
    figures = run(tmp_path, "overlap", *few)

    assert 0 < figures["gpu_busy"] <= 1
    assert figures["tasks_per_s"] > 0
    assert figures["added_min_ms"] <= figures["added_p50_ms"] <= figures["added_max_ms"]
    assert figures["platform_pss_mib"] > 0


def test_what_a_task_costs(tmp_path: Path) -> None:
    few = ["--gpu-ms", "20", "--delay-ms", "1", "--tasks", "4", "--rounds", "2"]
    figures = run(tmp_path / "out", "cost", str(made_harness(tmp_path)), *few)

    assert figures["yardstick"]["rounds"] == [3.0, 3.0]
    assert figures["ingest and a replica, without Ray"]["ratio"] == 1.0
    for name in ("the platform under Ray", "Ray's daemons beside it"):
        assert figures[name]["CPU a task, ms"] > 0


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
