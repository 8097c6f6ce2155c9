"""Measurements that need no Ray run to their end, and keep what the documents say they do."""

import re
from pathlib import Path

from bench.front import Setup, config
from models.settings import Settings
from tests.bench.short import ROOT, made_harness, run


def test_previews(tmp_path: Path) -> None:
    figures = run(tmp_path, "previews", "--steps", "2", "--rounds", "1", "--every", "1")

    assert set(figures) == {"ms_per_step", "ms_per_preview", "ms_first_preview", "ratio"}
    assert figures["ms_per_step"] > 0


def test_burst(tmp_path: Path) -> None:
    figures = run(tmp_path, "burst", "--tasks", "30", "--task-seconds", "0.01")

    assert figures["tasks_begun"] == 30
    assert 0 < figures["peak_mib"] < 300


def test_compare(tmp_path: Path) -> None:
    harness = made_harness(tmp_path)
    figures = run(tmp_path / "out", "compare", str(harness), "--tasks", "4", "--rounds", "2")

    assert figures["GPU busy"] == {"yardstick": 0.5, "ours": 0.5, "ratio": 1.0}
    assert figures["added to one task, ms"]["ours"] == 5.0
    assert figures["dynamodb a task"] == {"ours": 1.0}


def test_each_measurement_has_a_short_run() -> None:
    """Six are run in this folder, those over a real Ray in tests/platform and tests/scale."""
    measured = set(re.findall(r"-m bench\.(\w+)", (ROOT / "Makefile").read_text()))
    here = {"burst", "compare", "prediction", "previews", "simulate"}

    assert measured == here | {"router_cpu", "chaos"} | {"affinity", "cost", "front", "overlap"} | {
        "scale"
    }


def test_what_the_front_is_measured_with_is_a_configuration(tmp_path: Path) -> None:
    setup = Setup(count=1, at_once=1, held=1_000, watchers=500, seconds=10)
    settings = Settings.read(args=config(tmp_path, setup))

    assert settings.limits.streams.per_key >= 1_500
