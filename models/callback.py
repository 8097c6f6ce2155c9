"""A task's callback: the URL that its sender wants to be told at, and the calls made to it."""

from dataclasses import dataclass
from typing import Literal, get_args

CallbackEvent = Literal["running", "completed", "failed", "cancelled"]
"""Status of a task that its callback may be called for."""
EVENTS: tuple[CallbackEvent, ...] = get_args(CallbackEvent)
ENDS: tuple[CallbackEvent, ...] = ("completed", "failed", "cancelled")
"""Events with which a task is over; a callback is called for these unless it names others."""


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
