"""A short run of chaos: everything happens once, and no promise is broken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.chaos.timetable import Mishap
from tests.bench.short import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


def test_no_promise_is_broken_while_everything_happens(tmp_path: Path) -> None:
    report = tmp_path / "chaos.json"
    few = ["--tasks", "130", "--every", "7", "--replicas", "2", "--stall", "60"]
    command = [sys.executable, "-m", "bench.chaos", *few, "--json", str(report)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False
    )
    told = done.stdout + done.stderr
    assert report.exists(), told
    figures = json.loads(report.read_text())["figures"]

    assert (figures["violations"], done.returncode) == ({}, 0), told
    assert set(figures["mishaps"]) == set(Mishap)
    assert figures["tally"]["accepted"] == 130
