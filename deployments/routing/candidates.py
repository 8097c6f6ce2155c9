"""Candidates for waiting tasks, found by the files that they have and by what they have to do.

They are kept from one choice to the next, which costs as much as there are combinations of files,
however many replicas have them.
"""

import math
from collections import Counter, deque
from dataclasses import dataclass
from zlib import crc32

from deployments.routing.alike import Alike, Candidate
from deployments.routing.durations import Files

_RECENT = 200
"""Tasks that came last, by which it is known how often files are asked for."""
_MOST_KNOWN = 1000
"""Combinations of files whose holders are kept; beyond that they are found anew."""


@dataclass(frozen=True)
class _Known:
    """Files that were asked for: where they draw, and who has them."""

    draw: int
    holders: list[Alike]


class Candidates:
    """Candidates for waiting tasks, each known by its name."""

    def __init__(self) -> None:
        self.ahead: float = math.inf
        """Most tasks that any of them is given at once."""
        self._candidates: dict[str, Candidate] = {}
        self._alike: dict[frozenset[str], Alike] = {}
        self._known: dict[Files, _Known] = {}
        self._free = Counter[int]()
        """Count of those that may be given more, by the tasks that they have."""
        self._recent = deque[Files]()
        self._asked = Counter[Files]()
        """Count of each combination of files among the recent tasks."""
        self._kept = set[str]()
        """Names of those that take no more until a task that is due can have them."""
        self._by_worth: list[Alike] | None = None

    def __len__(self) -> int:
        return len(self._candidates)

    def place(self, candidate: Candidate) -> None:
        """Take a candidate in, or what has become of it."""
        before = self._candidates.get(candidate.name)
        if before == candidate:
            return
        if before:
            self._leave(before, last=before.holds != candidate.holds)
        self._candidates[candidate.name] = candidate
        if (alike := self._alike.get(candidate.holds)) is None:
            alike = self._begin_alike(candidate.holds)
        alike.add(candidate)
        if not candidate.is_full:
            self._free[candidate.runs] += 1
        if before is None or before.holds != candidate.holds:
            self._by_worth = None

    def remove(self, name: str) -> None:
        """Let a candidate go that is no more."""
        if candidate := self._candidates.pop(name, None):
            self._leave(candidate, last=True)
            self._by_worth = None

    def ask(self, files: Files) -> None:
        """Note that files are asked for, and forget the oldest of `_RECENT` tasks."""
        self._recent.append(files)
        self._count(files, 1)
        if len(self._recent) > _RECENT:
            self._count(self._recent.popleft(), -1)
        self._by_worth = None

    def begin(self) -> bool:
        """Begin a choice; tell whether there is any that may be given a task."""
        self._kept.clear()
        return min(self._free, default=math.inf) < self.ahead

    @property
    def idle_at_all(self) -> bool:
        """Tell whether any has nothing to do: none, in a fleet with more to do than it can."""
        return 0 in self._free

    @property
    def idle_and_empty(self) -> bool:
        """Tell whether any has nothing to do, and no file."""
        empty = self._alike.get(frozenset())
        return empty is not None and empty.find(0, 0, frozenset()) is not None

    def holders(self, files: Files) -> int:
        """Count those that have the files."""
        return sum(map(len, self._known_of(files).holders))

    def missing(self, files: Files, name: str) -> float:
        """Return the share of the files that a candidate does not have."""
        return _missing(files, self._candidates[name].holds)

    def is_empty(self, name: str) -> bool:
        return not self._candidates[name].holds

    def warm(self, files: Files) -> str | None:
        """Find one that has the files, and room: the least busy."""
        known = self._known_of(files)
        most = self.ahead - 1
        found = [
            each
            for alike in known.holders
            if (each := alike.find(known.draw, most, self._kept)) is not None
        ]
        return min(found)[-1] if found else None

    def idle(self, files: Files) -> str | None:
        """Find one that idles: the one that loses least by a load of the files."""
        return self._cheapest(files, 0)

    def for_due(self, files: Files, *, is_late: bool) -> str | None:
        """Find one for a task that is due; keep one for it if none can be had now.

        ``is_late``: it waits no longer for one that has its files.
        """
        if (name := self.warm(files)) is not None:
            return name
        if (name := self.idle(files)) is not None:
            return name
        if self.holders(files) and not is_late:
            return None
        # With one run its inputs are fetched meanwhile.
        name = self._cheapest(files, min(1, self.ahead - 1))
        if name is None and (kept := self._cheapest(files, math.inf, full=True)) is not None:
            self._kept.add(kept)
        return name

    def _cheapest(self, files: Files, most: float, *, full: bool = False) -> str | None:
        """Find one with so many tasks that lacks files: the one that loses least by their load.

        Of those that lose the same, all routers find the same one for the same files.
        """
        if not full and min(self._free, default=math.inf) > most:
            return None
        draw = self._known_of(files).draw
        best: tuple[float, int, int, str] | None = None
        for alike in self._sorted():
            if best and alike.worth > best[0] * len(files):  # one file is missing at least
                break
            missing = _missing(files, alike.holds)
            if not missing or (best and missing * alike.worth > best[0]):
                continue
            if (found := alike.find(draw, most, self._kept, full=full)) is not None:
                each = (missing * alike.worth, *found)
                best = each if best is None else min(best, each)
        return best[-1] if best else None

    def _sorted(self) -> list[Alike]:
        if self._by_worth is None:
            self._by_worth = sorted(self._alike.values(), key=lambda alike: alike.worth)
        return self._by_worth

    def _known_of(self, files: Files) -> _Known:
        if (known := self._known.get(files)) is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            holders = [each for each in self._alike.values() if each.holds.issuperset(files)]
            known = self._known[files] = _Known(crc32(repr(files).encode()), holders)
        return known

    def _begin_alike(self, holds: frozenset[str]) -> Alike:
        often = sum(number for files, number in self._asked.items() if holds.issuperset(files))
        alike = self._alike[holds] = Alike(holds, often)
        for files, known in self._known.items():
            if holds.issuperset(files):
                known.holders.append(alike)
        return alike

    def _leave(self, candidate: Candidate, *, last: bool) -> None:
        """Take a candidate from those that are like it; ``last``: they go with the last one."""
        alike = self._alike[candidate.holds]
        alike.remove(candidate)
        if not candidate.is_full:
            self._free[candidate.runs] -= 1
            if not self._free[candidate.runs]:
                del self._free[candidate.runs]
        if last and not len(alike):
            del self._alike[candidate.holds]
            for files, known in self._known.items():
                if candidate.holds.issuperset(files):
                    known.holders.remove(alike)

    def _count(self, files: Files, change: int) -> None:
        self._asked[files] += change
        if not self._asked[files]:
            del self._asked[files]
        for alike in self._known_of(files).holders:
            alike.often += change


def _missing(files: Files, holds: frozenset[str]) -> float:
    return sum(file not in holds for file in files) / max(len(files), 1)
