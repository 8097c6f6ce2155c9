"""Times and durations in the forms that people write."""

import math
import re
from datetime import UTC, datetime

from atelier import Misused

_DURATION = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # the smallest first


def parse_time(said: str | None, now: float) -> float | None:
    """Parse ``2h`` (ago), or an ISO date or time, which is local without a zone.

    Return epoch seconds.

    Raises:
        Misused: it is neither.
    """
    if said is None:
        return None
    if (ago := parse_duration(said)) is not None:
        return now - ago
    try:
        return datetime.fromisoformat(said).timestamp()
    except ValueError:
        raise Misused(f"{said}: must be like 90m, 2h, 7d or 2026-11-22T10:30") from None


def parse_span(said: str) -> float:
    """Parse ``90``, ``90s`` or ``5m`` into seconds.

    Raises:
        Misused: it is neither.
    """
    found = parse_duration(said)
    if found is not None:
        return found
    try:
        return float(said)
    except ValueError:
        raise Misused(f"{said}: must be a number of seconds, or like 90s, 5m, 2h") from None


def parse_coming(said: str | None, now: float) -> float | None:
    """Parse ``2h`` (from now), or an ISO date or time, which is local without a zone.

    Return epoch seconds.

    Raises:
        Misused: it is neither.
    """
    if said is None or (ahead := parse_duration(said)) is None:
        return parse_time(said, now)
    return now + ahead


def parse_duration(said: str) -> int | None:
    """Parse a duration such as ``90m`` into seconds; None if it is not of this form."""
    parsed = _DURATION.fullmatch(said)
    return int(parsed[1]) * _SECONDS[parsed[2]] if parsed else None


def format_time(seconds: float) -> str:
    """Format epoch seconds in UTC; ``?`` for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return "?"


def format_age(seconds: float) -> str:
    """Format a duration in its largest full unit; ``?`` if it is not finite."""
    if not math.isfinite(seconds):
        return "?"
    for unit, size in reversed(_SECONDS.items()):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return "0s"


def format_rough(seconds: float) -> str:
    """Format an estimate of a duration in the unit that people would name: ``5 s``, ``2 min``."""
    if not math.isfinite(seconds):
        return "?"
    for unit, size in (("h", 5400), ("min", 90)):
        if seconds >= size:
            return f"{seconds / _SECONDS[unit[0]]:.0f} {unit}"
    return f"{max(1, math.ceil(seconds / 5)) * 5} s"
