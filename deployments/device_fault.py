"""Faults of a replica's device, which no task causes."""

from enum import Enum


class DeviceFault(Enum):
    """Fault of the device; the value is what a report says."""

    MEMORY = "out of memory"
    DEVICE = "the device failed"
