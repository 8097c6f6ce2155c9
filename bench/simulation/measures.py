"""Measures that a policy has of the tasks: what ingest can know, and nothing of the trace."""

from collections import Counter

from bench.simulation.fleet import Run
from bench.simulation.traces import Task
from ingest.paces import Average


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

    def began(self, task: Task) -> None:
        self._waiting[task.checkpoint] -= 1

    def ended(self, run: Run) -> None:
        """Take in what a report tells of its run."""
        self._seconds.setdefault(run.task.checkpoint, Average()).add(run.task.seconds)
        self._all.add(run.task.seconds)
        if not run.first:
            self._load_share.add(1.0 if run.load else 0.0)
        if run.load:
            self.load_seconds.add(run.load)

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
