"""Fault behind an error: the device's, which may be gone at another try, or the task's."""

from enum import Enum

import torch

_NO_MEMORY = "can't allocate memory"
_DEVICE = ("CUDA error", "cuDNN error", "CUBLAS_STATUS")


class Fault(Enum):
    """Fault of the device."""

    MEMORY = "out of memory"
    DEVICE = "the device failed"


def first_line(error: Exception) -> str:
    """Return the error's first line, without the pages that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def fault(error: BaseException) -> Fault | None:
    """Find the device's fault behind an error; None if there is none."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _NO_MEMORY in str(error):
        return Fault.MEMORY
    failed = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _DEVICE)
    return Fault.DEVICE if failed else None
