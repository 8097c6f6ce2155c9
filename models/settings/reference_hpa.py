"""Rates of a HorizontalPodAutoscaler, as the reference's ``extraHPAConfig`` has them."""

from collections.abc import Iterator, Mapping
from typing import Any

Given = Mapping[str, Any]

_SIDES = ("scaleUp", "scaleDown")
_OF_SIDE = frozenset({"stabilizationWindowSeconds", "selectPolicy", "policies"})


def rates(given: Given) -> Given:
    """Translate ``behavior``, or what stands in it, to settings of ``scaling``."""
    return {side: _rate(how) for side, how in _behavior(given).items() if side in _SIDES and how}


def unread(given: Given) -> Iterator[str]:
    """Walk the keys that say something and are no part of a rate, by their paths."""
    nested = "behavior" in given
    if nested:
        yield from (key for key in given if key != "behavior")
    under = "behavior." if nested else ""
    for side, how in _behavior(given).items():
        if side not in _SIDES:
            yield f"{under}{side}"
        else:
            said = (key for key, value in (how or {}).items() if value is not None)
            yield from (f"{under}{side}.{key}" for key in said if key not in _OF_SIDE)


def _behavior(given: Given) -> Given:
    return given["behavior"] or {} if "behavior" in given else given


def _rate(given: Given) -> Given:
    # As YAML reads a key with nothing after it, null says nothing.
    return {key: given[key] for key in _OF_SIDE & given.keys() if given[key] is not None}
