"""Times as people say them."""

import math
import re
from datetime import UTC, datetime

from atelier import Misused

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(said: str | None, now: float) -> float | None:
    """Seconds since 1970 of ``2h`` (ago) or an ISO date or time, local if it says no zone.

    Raises:
        Misused: it is neither.
    """
    if said is None:
        return None
    if age := _AGE.fullmatch(said):
        return now - int(age[1]) * _SECONDS[age[2]]
    try:
        return datetime.fromisoformat(said).timestamp()
    except ValueError:
        raise Misused(f"{said}: must be like 90m, 2h, 7d or 2026-11-22T10:30") from None


def told(seconds: float) -> str:
    """A time since 1970 in UTC; ``?`` for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return "?"


def age(seconds: float) -> str:
    """About how long, in the largest unit that is filled; ``?`` for what is not finite."""
    if not math.isfinite(seconds):
        return "?"
    for unit, size in reversed(_SECONDS.items()):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "0s"
