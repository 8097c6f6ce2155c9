"""Fates of the Web UI's fields and settings that this runtime does not honour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.runtimes.webui import flag


@dataclass(frozen=True)
class Refused:
    """Field that would change the picture, and is refused unless its value changes nothing."""

    reason: str
    unless: tuple[Any, ...]
    """Values that leave the picture as it is; a remedy names the first one."""

    def is_harmless(self, value: Any) -> bool:
        """Tell whether a value, or a text that stands for one, leaves the picture as it is."""
        return any(_is_same(value, harmless) for harmless in self.unless)


Refusals = Mapping[str, Refused]
"""Fields that are refused, by name."""
Ignored = Mapping[str, str]
"""Fields that are taken with any value and change nothing, each with the reason why."""


def _is_same(value: Any, harmless: Any) -> bool:
    match harmless:
        case bool():
            return flag(value) is harmless
        case int() | float() if isinstance(value, str):
            return _number(value) == harmless
        case str() if isinstance(value, str):
            return value.strip().lower() == harmless.lower()
        case _:
            return bool(value == harmless)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
