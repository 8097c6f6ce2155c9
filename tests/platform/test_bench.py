"""The measurements of a whole platform run to their end, and keep what the documents say."""

from pathlib import Path

import pytest

from tests.bench.short import run

pytestmark = pytest.mark.ray

LOAD = {"per_s", "p50_ms", "p99_ms"}


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
