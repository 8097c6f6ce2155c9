"""Fence: keeps all others off a task while one run of it is under way, or its end is told."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Fencing token of a run, and until when others keep off its task.

    The ledger keeps one with each submission. The same token again changes nothing, so that a write
    may be repeated whose answer was lost, or land when its run is over.
    """

    token: str
    """Random name of the run, which has one start."""
    until: float
    """Time at which the lease lapses, in seconds since 1970 by the wall clock."""
