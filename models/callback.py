"""A task's callback: the URL that its sender wants to be told at, and the calls made to it."""

from dataclasses import dataclass

ENDS = ("completed", "failed", "cancelled")
EVENTS = ("running", *ENDS)
"""What may be told: a task's statuses from its start."""


@dataclass(frozen=True, kw_only=True)
class Callback:
    """Where to tell what becomes of a task."""

    url: str
    events: tuple[str, ...] = ENDS


@dataclass(frozen=True, kw_only=True)
class Call:
    """One try to tell a callback's URL of one event."""

    event: str
    at: float
    """Seconds since 1970."""
    status: int | None = None
    """The HTTP status that came back, if any did."""
    error: str | None = None
    """Why it was no success."""
