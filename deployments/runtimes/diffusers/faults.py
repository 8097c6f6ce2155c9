"""Whose fault an error is: the device's, which may be gone at another try, or the task's."""

from enum import Enum

import torch

_NO_MEMORY = "can't allocate memory"
_DEVICE = ("CUDA error", "cuDNN error", "CUBLAS_STATUS")


class Fault(Enum):
    """What is wrong with the device."""

    MEMORY = "out of memory"
    DEVICE = "the device failed"


def first_line(error: Exception) -> str:
    """What an error says, without the pages that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def fault(error: BaseException) -> Fault | None:
    """The device's fault behind an error; None where it is none."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _NO_MEMORY in str(error):
        return Fault.MEMORY
    failed = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _DEVICE)
    return Fault.DEVICE if failed else None
