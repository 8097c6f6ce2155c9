"""ComfyUI for tests: a real one, if ``COMFYUI`` names its folder, or a double.

``COMFYUI_PYTHON`` is the Python that has what it needs, ``COMFYUI_FLAGS`` what else it is told.
"""

import os
import sys
from pathlib import Path
from typing import Any

from tests.runtimes.world import python_of

ROOT = Path(__file__).parents[3]
PACK = Path(__file__).with_name("pack")
COMFYUI = os.environ.get("COMFYUI")
CHECKPOINT = "tiny.safetensors"


def options(folder: Path, **more: Any) -> dict[str, Any]:
    """Make an adapter's options; the folder gets an empty checkpoint."""
    checkpoints = folder / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    (checkpoints / CHECKPOINT).touch()
    paths = {"checkpoints": [checkpoints]}
    return {"backend": _process(), "modelPaths": paths, "customNodes": [PACK]} | more


def _process() -> dict[str, Any]:
    if not COMFYUI:
        return {"command": [sys.executable, "-m", "tests.runtimes.comfyui.double"], "folder": ROOT}
    flags = os.environ.get("COMFYUI_FLAGS", "--cpu").split()
    own = ["--disable-api-nodes", "--disable-auto-launch"]
    command = [python_of(Path(COMFYUI), "COMFYUI_PYTHON"), "main.py", *own, *flags]
    return {"command": command, "folder": COMFYUI, "threads": 1}
