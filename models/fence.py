"""Fence: keeps all others off a task while one delivery of it is worked on."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Fencing token of a delivery, and until when others keep off its task.

    The ledger keeps one with each submission. The same token again changes nothing, so that a write
    may be repeated whose answer was lost.
    """

    token: str
    """Random name of the delivery's lease."""
    until: float
    """Time at which the lease lapses, in seconds since 1970 by the wall clock."""
