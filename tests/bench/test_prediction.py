"""Simulation beside a run that was measured over a real Ray."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.prediction import predicted
from bench.scaling.scenarios import Setup
from tests.bench.short import ROOT

SETUP = Setup(
    tasks=24,
    gpu_seconds=2.0,
    load_seconds=1.0,
    most_replicas=3,
    queue_length=8,
    target_seconds=30.0,
    cooldown_seconds=15.0,
    idle_seconds=5,
)
MEASURED = {
    "target_set": 1.48,
    "node_launched": 3.2,
    "running": 9.53,
    "replicas_gone": 17.13,
    "nodes_gone": 24.01,
    "latency_p50": 20.36,
    "held": 109.7,
}
"""Figures of a run of `make bench-scale`."""


def test_hours_and_latency_of_a_measured_run_are_predicted_within_a_quarter() -> None:
    prediction = predicted(SETUP, MEASURED)

    assert prediction.held == pytest.approx(MEASURED["held"], rel=0.25)
    assert prediction.latency_p50 == pytest.approx(MEASURED["latency_p50"], rel=0.25)


def test_slower_starts_are_predicted_to_cost_and_to_last_longer() -> None:
    slow = predicted(SETUP, MEASURED | {"running": MEASURED["running"] + 20})
    quick = predicted(SETUP, MEASURED)

    assert slow.latency_p50 == pytest.approx(quick.latency_p50 + 20)
    assert slow.held == pytest.approx(quick.held + 3 * 20, rel=0.05)


def test_both_are_printed_with_their_ratio(tmp_path: Path) -> None:
    kept = tmp_path / "scale.json"
    kept.write_text(json.dumps({"setup": asdict(SETUP), "figures": {"from zero": MEASURED}}))
    done = subprocess.run(
        [sys.executable, "-m", "bench.prediction", str(kept)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert f"{MEASURED['held']} s" in done.stdout
    assert "ratio" in done.stdout
