"""Fault behind an error: the device's, which may be gone at another try, or the task's."""

import torch

from deployments.device_fault import DeviceFault

_NO_MEMORY = "can't allocate memory"  # of the CPU: torch has no class for it
_DEVICE = ("CUDA error", "cuDNN error", "CUBLAS_STATUS")


def first_line(error: Exception) -> str:
    """Return the error's first line, without the pages that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def fault(error: BaseException) -> DeviceFault | None:
    """Find the device's fault behind an error; None if there is none."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _NO_MEMORY in str(error):
        return DeviceFault.MEMORY
    failed = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _DEVICE)
    return DeviceFault.DEVICE if failed else None
