"""A short run of a measurement, as a process of its own, and what it kept."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 540
"""Seconds after which a measurement hangs; it takes a minute or two, alone on the machine."""
_HARNESS = {
    "bench.py": """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("what", choices=["throughput", "latency"])
for name in ("kind", "mix", "gpu-ms", "delay-ms", "system", "systems", "out"):
    parser.add_argument(f"--{name}", required=True)
parser.add_argument("--n", type=int, required=True)
asked = parser.parse_args()
systems = json.loads(pathlib.Path(asked.systems).read_text())
assert systems[asked.system]["cmd"]
row = {
    "n": asked.n, "completed": asked.n, "failed": 0, "gpu_busy_frac": 0.5,
    "idle_gap_ms": {"mean": 2.0}, "cpu_ms_per_task": 3.0, "pss_mib_peak": 4.0,
    "aws_calls": {"sqs": asked.n}, "overhead_ms": {"p50": 5.0},
}
pathlib.Path(asked.out).write_text(json.dumps(row))
""",
    "delay_proxy.py": """
import argparse, pathlib, signal
parser = argparse.ArgumentParser()
parser.add_argument("--map", required=True)
parser.add_argument("--stats", required=True)
pathlib.Path(parser.parse_args().stats).write_text('{"calls": {"dynamodb": 18}}')
signal.pause()
""",
}
"""The programs of a harness, which answer as those do that `bench.compare` is for."""


def run(out: Path, module: str, *arguments: str) -> Mapping[str, Any]:
    """The figures that ``python -m bench.MODULE`` keeps."""
    command = [sys.executable, "-m", f"bench.{module}", "--out", str(out), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = out.glob("*.json")
    figures: Mapping[str, Any] = json.loads(kept.read_text())["figures"]
    return figures


def made_harness(folder: Path) -> Path:
    """Write a harness whose programs measure nothing."""
    harness = folder / "harness"
    harness.mkdir()
    for name, text in _HARNESS.items():
        (harness / name).write_text(text)
    return harness
