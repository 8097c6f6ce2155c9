"""Candidates for waiting tasks in one choice."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from deployments.routing.durations import Files


@dataclass(frozen=True)
class Candidate:
    """Replica that may be given tasks."""

    holds: frozenset[str]
    """Files that it has, or will have when it begins the last task that it was given."""
    runs: int
    """Tasks that it was given and has not ended."""
    room: int
    """Tasks more that it may be given now."""
    name: str = ""
    """Name that all routers know it by."""


class Candidates:
    """Candidates in one choice, each known by its number.

    ``asked``: how often each combination of files was asked for lately.
    """

    def __init__(self, candidates: Sequence[Candidate], asked: Mapping[Files, int]) -> None:
        self._candidates = candidates
        self._having = defaultdict[frozenset[str], list[int]](list)
        for number, candidate in enumerate(candidates):
            self._having[candidate.holds].append(number)
        self._idles = any(not each.runs and each.room > 0 for each in candidates)
        self._asked = asked
        self._kept = set[int]()
        """Numbers of those that take no more until a task that is due can have them."""

    def __len__(self) -> int:
        return len(self._candidates)

    def holders(self, files: Files) -> int:
        """Count those that have the files."""
        return sum(len(numbers) for _, numbers in self._holding(files))

    def missing(self, files: Files, number: int) -> float:
        """Return the share of the files that a candidate does not have."""
        return _missing(files, self._candidates[number].holds)

    def is_empty(self, number: int) -> bool:
        return not self._candidates[number].holds

    def warm(self, files: Files) -> int | None:
        """Find one that has the files, and room: the least busy."""
        numbers = (number for _, numbers in self._holding(files) for number in numbers)
        return min(filter(self._has_room, numbers), key=self._runs, default=None)

    def idle(self, files: Files) -> int | None:
        """Find one that idles: the one that loses least by a load of the files."""
        if not self._idles:  # as in any fleet with more to do than it can
            return None
        return self._cheapest(files, lambda number: not self._runs(number))

    def for_due(self, files: Files, *, is_late: bool) -> int | None:
        """Find one for a task that is due; keep one for it if none can be had now.

        ``is_late``: it waits no longer for one that has its files.
        """
        if (number := self.warm(files)) is not None:
            return number
        if (number := self.idle(files)) is not None:
            return number
        if self.holders(files) and not is_late:
            return None
        # With one run its inputs are fetched meanwhile.
        number = self._cheapest(files, lambda number: self._runs(number) <= 1)
        if number is None and (kept := self._cheapest(files, lambda _: True, room=0)) is not None:
            self._kept.add(kept)
        return number

    def _cheapest(self, files: Files, suits: Callable[[int], bool], room: int = 1) -> int | None:
        """Find one of those that suit and lack files: the one that loses least by their load.

        Of those that lose the same, all routers find the same one for the same files.
        """
        found: list[tuple[float, int, int, int]] = []
        for holds, numbers in self._having.items():
            if not (missing := _missing(files, holds)):
                continue
            loss = missing * self._worth(holds)
            for number in numbers:
                candidate = self._candidates[number]
                if number not in self._kept and candidate.room >= room and suits(number):
                    draw = crc32(repr((candidate.name, files)).encode())
                    found.append((loss, candidate.runs, draw, number))
        return min(found)[-1] if found else None

    def _worth(self, holds: frozenset[str]) -> float:
        """Reckon what it is worth that a candidate has what it has: how often it is asked for."""
        often = sum(number for files, number in self._asked.items() if holds.issuperset(files))
        return (1 + often) / len(self._having[holds]) if holds else 0.0

    def _holding(self, files: Files) -> Iterable[tuple[frozenset[str], list[int]]]:
        return ((holds, each) for holds, each in self._having.items() if holds.issuperset(files))

    def _has_room(self, number: int) -> bool:
        return number not in self._kept and self._candidates[number].room > 0

    def _runs(self, number: int) -> int:
        return self._candidates[number].runs


def _missing(files: Files, holds: frozenset[str]) -> float:
    return sum(file not in holds for file in files) / max(len(files), 1)
