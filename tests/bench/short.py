"""A short run of a measurement, as a process of its own, and what it kept."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 240


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
