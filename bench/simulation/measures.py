"""Measures that a policy has of the tasks: what ingest can know, and nothing of the trace."""

from collections import Counter

from bench.simulation.traces import Task

_WEIGHT = 0.1
"""Weight of the newest value in a moving average."""


class Average:
    """Moving average; None before the first value, if it does not begin with one."""

    def __init__(self, value: float | None = None) -> None:
        self.value = value

    def add(self, value: float) -> None:
        old = value if self.value is None else self.value
        self.value = old + (value - old) * _WEIGHT


class Measures:
    """Moving averages of the tasks that ended, and of the loads."""

    def __init__(self) -> None:
        self._seconds: dict[int, Average] = {}
        self._all = Average()
        self._load_share = Average(0.0)
        self._waiting: Counter[int] = Counter()
        self.load_seconds = Average()

    def came(self, task: Task) -> None:
        self._waiting[task.checkpoint] += 1

    def began(self, task: Task, load: float, *, first: bool) -> None:
        """Note a run, and its seconds of loading; ``first``: the replica had no checkpoint."""
        self._waiting[task.checkpoint] -= 1
        if not first:
            self._load_share.add(1.0 if load else 0.0)
        if load:
            self.load_seconds.add(load)

    def ended(self, task: Task) -> None:
        self._seconds.setdefault(task.checkpoint, Average()).add(task.seconds)
        self._all.add(task.seconds)

    @property
    def load_share(self) -> float:
        return self._load_share.value or 0.0

    @property
    def seconds(self) -> float | None:
        """Seconds of a waiting task, by what is known of its checkpoint."""
        mean = self._all.value
        total = self._waiting.total()
        if mean is None or not total:
            return mean
        known = {each: average.value or mean for each, average in self._seconds.items()}
        work = sum(known.get(each, mean) * number for each, number in self._waiting.items())
        return work / total
