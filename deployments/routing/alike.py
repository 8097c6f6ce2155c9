"""Candidates that have the same files, by how much they have to do."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from zlib import crc32

_Point = tuple[int, str]
"""Place of a candidate on a ring, by its name, and the name."""
_RING = 1 << 32


@dataclass(frozen=True)
class Candidate:
    """Replica that may be given tasks."""

    holds: frozenset[str]
    """Files that it has, or will have when it begins the last task that it was given."""
    runs: int
    """Tasks that it was given and has not ended."""
    most: int
    """Most tasks that it may be given at once."""
    name: str = ""
    """Name that all routers know it by."""

    @property
    def is_full(self) -> bool:
        """Tell whether it may be given no more."""
        return self.runs >= self.most


class Alike:
    """Candidates that have the same files; ``often``: how often these were asked for lately."""

    def __init__(self, holds: frozenset[str], often: int) -> None:
        self.holds = holds
        self.often = often
        self._count = 0
        self._free: dict[int, list[_Point]] = {}
        """Candidates that may be given more, on a ring for each number of tasks."""
        self._full: dict[int, list[_Point]] = {}

    def __len__(self) -> int:
        return self._count

    @property
    def worth(self) -> float:
        """Worth of one of them: the tasks that it lately had for what it has."""
        return (1 + self.often) / self._count if self.holds else 0.0

    def add(self, candidate: Candidate) -> None:
        rings = self._full if candidate.is_full else self._free
        insort(rings.setdefault(candidate.runs, []), _point(candidate.name))
        self._count += 1

    def remove(self, candidate: Candidate) -> None:
        rings = self._full if candidate.is_full else self._free
        ring = rings[candidate.runs]
        del ring[bisect_left(ring, _point(candidate.name))]
        if not ring:
            del rings[candidate.runs]
        self._count -= 1

    def find(
        self, draw: int, most: float, kept: AbstractSet[str], *, full: bool = False
    ) -> tuple[int, int, str] | None:
        """Find the least busy that has ``most`` tasks and is not kept: its tasks, draw and name.

        ``draw``: of those that have as many, the next on their ring; ``full``: or one that may be
        given no more.
        """
        rings = chain(self._free.items(), self._full.items() if full else ())
        for runs, ring in sorted(rings):
            if runs > most:
                break
            for place, name in _from(ring, draw):
                if name not in kept:
                    return runs, (place - draw) % _RING, name
        return None


def _point(name: str) -> _Point:
    return crc32(name.encode()), name


def _from(ring: list[_Point], draw: int) -> Iterator[_Point]:
    first = bisect_left(ring, (draw, ""))
    return (ring[(first + number) % len(ring)] for number in range(len(ring)))
