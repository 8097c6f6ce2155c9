"""Moments and spans of time as clients write them."""

from datetime import datetime
from math import isfinite

_FORM = "must be seconds since 1970, or as 2026-01-31T12:00:00Z"
LATEST = 253_402_300_799
"""Last second of the year 9999, in seconds since 1970."""
MOMENT_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": LATEST},
        {"type": "string", "format": "date-time"},
    ]
}
"""JSON Schema of what `read_moment` reads."""


def read_moment(given: object) -> float:
    """Read a moment in seconds since 1970: from such a number, or from a date and time with a zone.

    Raises:
        ValueError: it is neither; with what it must be.
    """
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(_FORM)  # noqa: TRY004 - pydantic takes no TypeError
    try:
        seconds = float(given)
    except ValueError:
        seconds = _timestamp(str(given))
    except OverflowError:
        raise ValueError(_FORM) from None
    if not isfinite(seconds) or not 0 <= seconds <= LATEST:
        raise ValueError(_FORM)
    return seconds


def _timestamp(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_FORM) from None
    if moment.tzinfo is None:  # else this machine's zone would be taken
        raise ValueError(_FORM)
    return moment.timestamp()
