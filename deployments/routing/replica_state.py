"""State of one replica, as the router of one handle knows it."""

import math
from dataclasses import dataclass, field

from deployments.routing.alike import Candidate
from deployments.routing.durations import Files
from deployments.routing.requests import Refusal

SEND_SECONDS = 10.0
"""Seconds within which a replica has accepted what it was given, or never will."""
_COUNT_SECONDS = 1.0
"""Seconds for which a count of a replica's tasks is true."""


@dataclass
class _Given:
    files: Files
    at: float
    loads: bool
    accepted: bool = False


@dataclass(eq=False)
class ReplicaState:
    """State of a replica; times are seconds of the router's clock."""

    name: str = ""
    _holds: frozenset[str] = frozenset()
    _told: frozenset[str] = frozenset()
    """Files that the replica said it has, the last time."""
    _changes: int = 0
    """Count of its changes of files, as it said them the last time."""
    _given: dict[str, _Given] = field(default_factory=dict)
    _counted: int = 0
    """Tasks that were there when they were counted last, at `_counted_at`."""
    _counted_at: float = -math.inf
    _others: int = 0
    """Tasks that other routers gave it."""
    others_until: float = 0.0
    """Moment until which they are taken to be there."""

    def candidate(self, most: int, now: float) -> Candidate:
        """Return it as it is for a choice; ``most``: the most tasks that it is given at once."""
        self._given = {
            key: each
            for key, each in self._given.items()
            if each.accepted or now < each.at + SEND_SECONDS
        }
        runs = len(self._given) + self.others(now)
        return Candidate(self._holds, runs, most, self.name)

    def others(self, now: float) -> int:
        """Count the tasks that others are known to have there."""
        return self._others if now < self.others_until else 0

    def tell(self, files: Files, changes: int) -> None:
        """Take the files that the replica says it has, and how often it has changed them.

        While it has tasks of this router, those know better. What it said before is older than what
        it was given since.
        """
        if not self._given and changes != self._changes:
            self._changes = changes
            self._told = self._holds = frozenset(files)

    def refuse(self, refusal: Refusal, seconds: float, now: float) -> None:
        """Take what the replica said when it refused a task; ``seconds``: those of one task."""
        self._changes = refusal.changes
        self._told = self._holds = frozenset(refusal.files)
        self.count(refusal.runs, seconds, now)

    def give(self, key: str, files: Files, now: float) -> bool:
        """Give it a task; tell whether it has the files."""
        has = self._holds.issuperset(files)
        self._given[key] = _Given(files, now, loads=not has)
        if not has:
            self._holds = frozenset(files)
        return has

    def has(self, key: str) -> bool:
        """Tell whether it was given a task that has not ended."""
        return key in self._given

    def expects(self, key: str) -> bool:
        """Tell whether it was given a task that it has not accepted yet."""
        given = self._given.get(key)
        return given is not None and not given.accepted

    def take_back(self, key: str) -> None:
        """Undo a gift that it never got; what it has instead, it will tell."""
        if (given := self._given.pop(key, None)) and given.loads:
            self._holds = self._told

    def accept(self, key: str) -> None:
        """Note that it took a task."""
        if given := self._given.get(key):
            given.accepted = True

    def count(self, runs: int, seconds: float, now: float) -> None:
        """Note how many tasks are there, of whomever; ``seconds``: those that one of them lasts.

        What this router gave it counts as there.
        """
        self._counted, self._counted_at = runs, now
        self._others = max(runs - len(self._given), 0)
        self.others_until = now + self._others * seconds

    def recount(self, seconds: float, now: float) -> None:
        """Count those of others anew, as a task of ours was not among those that were counted."""
        if now - self._counted_at < _COUNT_SECONDS:
            self.count(self._counted, seconds, now)

    def end(self, key: str) -> None:
        """Note the end of a task."""
        self._given.pop(key, None)
