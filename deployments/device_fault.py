"""Faults of a replica's device, which no task causes."""

from collections.abc import Iterator
from enum import Enum

# Each of torch's devices has words of its own, and a server beside a replica tells text alone.
_MEMORY_SIGNS = (
    *("outofmemory", "out of memory", "not enough memory", "memoryerror"),
    *("allocation on device", "allocate memory"),
)
_DEVICE_SIGNS = (
    *("cuda error", "hip error", "cudnn error", "cublas_status", "acceleratorerror"),
    "device-side assert",
)
_MOST_CAUSES = 10
"""Most errors of a chain that are looked at: libraries wrap one in another a few times."""


class DeviceFault(Enum):
    """Fault of the device; the value is what a report says."""

    MEMORY = "out of memory"
    DEVICE = "the device failed"


def fault_in(text: str) -> DeviceFault | None:
    """Find the device's fault that an error's class and text tell of; None if they tell of none."""
    lower = text.lower()
    # Memory first: "CUDA error: out of memory" has the signs of both.
    if any(sign in lower for sign in _MEMORY_SIGNS):
        return DeviceFault.MEMORY
    return DeviceFault.DEVICE if any(sign in lower for sign in _DEVICE_SIGNS) else None


def fault_behind(error: BaseException) -> DeviceFault | None:
    """Find the device's fault behind an error or one that led to it; None if there is none."""
    for each in _chain(error):
        # torch's faults are RuntimeErrors; a ValueError may quote whatever a task says.
        if isinstance(each, RuntimeError | MemoryError):
            found = fault_in(f"{type(each).__name__}: {each}")
            if found or isinstance(each, MemoryError):
                return found or DeviceFault.MEMORY
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk an error and those that it was raised from, or while handling which it was raised."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
