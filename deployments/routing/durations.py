"""Durations of a runtime's tasks and loads, and what a task needs by it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from models import strict_json

_WEIGHT = 0.1
"""Weight of the newest value in a moving average."""
_TASK_SECONDS = 1.0
"""Seconds that a task is taken to last before one was measured."""
_LOAD_SECONDS = 5.0
"""Seconds that a load is taken to last before one was measured."""
_NO_LOAD_SECONDS = 0.05
"""Seconds in which nothing can have been loaded."""
_MOST_KNOWN = 1000
"""Combinations of files whose tasks' mean is kept: those that were asked for last."""

Files = tuple[str, ...]
"""Weights files that a task needs, its checkpoint first."""


@dataclass(frozen=True)
class Need:
    """Need of a task: what its replica must have, and for how long it holds it."""

    files: Files
    seconds: float = _TASK_SECONDS
    """Seconds that it is expected to last, its load left out."""
    load: float = _LOAD_SECONDS
    """Seconds that a load of its files is expected to last."""

    def written(self) -> str:
        """Write it as `read` takes it."""
        return strict_json.written([self.files, self.seconds, self.load])

    @classmethod
    def read(cls, written: str) -> "Need":
        """Read it as it was written; nothing written is a need of no file."""
        if not written:
            return cls(())
        files, seconds, load = json.loads(written)
        return cls(tuple(files), seconds, load)


class Durations:
    """Moving averages of how long tasks and loads of weights files last."""

    def __init__(self) -> None:
        self._seconds: dict[Files, float] = {}
        self._all: float | None = None
        self._load: float | None = None

    def need(self, files: Sequence[str]) -> Need:
        """Reckon the need of a task with these files."""
        files = tuple(files)
        mean = _TASK_SECONDS if self._all is None else self._all
        load = _LOAD_SECONDS if self._load is None else self._load
        return Need(files, self._seconds.get(files, mean), load)

    def ended(self, files: Sequence[str], seconds: float, load: float) -> None:
        """Note what a task lasted, and the load before it."""
        files = tuple(files)
        self._seconds[files] = _moved(self._seconds.pop(files, None), seconds)
        if len(self._seconds) > _MOST_KNOWN:
            del self._seconds[next(iter(self._seconds))]
        self._all = _moved(self._all, seconds)
        if load > _NO_LOAD_SECONDS:
            self._load = _moved(self._load, load)


def _moved(mean: float | None, value: float) -> float:
    return value if mean is None else mean + (value - mean) * _WEIGHT
