"""Web UI for tests: a real one, if ``SDWEBUI`` names its folder, or a double.

``SDWEBUI_PYTHON`` is the Python that has what it needs, ``SDWEBUI_FLAGS`` what else it is told: by
default what Forge wants on a CPU.
"""

import os
import sys
from pathlib import Path
from typing import Any

from tests.runtimes.world import python_of

ROOT = Path(__file__).parents[3]
SDWEBUI = os.environ.get("SDWEBUI")
_FLAGS = "--always-cpu --skip-torch-cuda-test --skip-version-check"


def options(**process: Any) -> dict[str, Any]:
    """Make the options of an adapter that polls often."""
    return {"backend": _process() | process, "progressEvery": 0.05}


def _process() -> dict[str, Any]:
    if not SDWEBUI:
        return {"command": [sys.executable, "-m", "tests.runtimes.sdwebui.double"], "folder": ROOT}
    flags = os.environ.get("SDWEBUI_FLAGS", _FLAGS).split()
    python = python_of(Path(SDWEBUI), "SDWEBUI_PYTHON")
    command = [python, "launch.py", "--api", "--skip-prepare-environment", *flags]
    return {"command": command, "folder": SDWEBUI, "threads": 1}
