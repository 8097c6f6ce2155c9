"""Scenarios: which mishaps happen, and which tasks are not like the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.chaos.timetable import Mishap


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Kinds of mishaps, and shares of the tasks, from 0 to 1, that are of a kind of their own."""

    mishaps: tuple[Mishap, ...] = ()
    copies: float = 0
    """Share whose message is published several times, or whose key is sent twice at once."""
    poison: float = 0
    """Share that no runtime could draw."""
    cancels: float = 0
    """Share that is cancelled within some seconds."""


_MISHAPS = tuple(Mishap)
SCENARIOS: Mapping[str, Scenario] = {
    "calm": Scenario(),
    **{mishap.value: Scenario(mishaps=(mishap,)) for mishap in _MISHAPS},
    "kills": Scenario(mishaps=tuple(each for each in _MISHAPS if each.startswith("kill"))),
    "duplicates": Scenario(copies=0.3),
    "poison": Scenario(poison=0.2),
    "cancels": Scenario(cancels=0.3),
    "everything": Scenario(mishaps=_MISHAPS, copies=0.05, poison=0.03, cancels=0.05),
}
