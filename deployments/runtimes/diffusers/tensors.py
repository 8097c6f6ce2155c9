"""Tensors in a file of weights, which never runs code when it is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def read_tensors(path: Path) -> Mapping[str, Any]:
    """Read a ``.safetensors`` or a pickled file, on the CPU.

    Raises:
        OSError, SafetensorError, RuntimeError, pickle.UnpicklingError: it cannot be read, or it
            holds more than tensors.
    """
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    stored: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return stored
