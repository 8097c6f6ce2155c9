"""Rules by which a runtime's tasks ask for replicas: by their number, or within a latency."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.fleet import Demand
from models.settings.scaling import Scaling

_MOST_SECONDS = 1e7
_MOST_TASKS = 10**7
"""Bounds of what is reckoned with, so that no measurement, however wrong, overflows."""
_WORTH = 2
"""Starts within which a new replica's work must lie: it works for as long as it starts."""


@dataclass(frozen=True)
class Choice:
    """Number of replicas, and the reason for it in words."""

    replicas: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Present:
    """Replicas that there are, and how the tasks develop."""

    running: int
    coming: Sequence[float]
    """Seconds that each of the starting ones still needs until it runs, fewest first."""
    start_seconds: float
    """Seconds that the start of one more takes, until it runs."""
    growth: float
    """Tasks a second by which the line of waiting ones grows; below 0 it shrinks."""
    load: float
    """Replicas that are busy with the tasks which come lately."""


def asked(demand: Demand, present: Present, rules: Scaling) -> Choice:
    """Choose how many replicas the tasks of now ask for, at least one if there is any.

    Bounds, rates and the past are left to others.
    """
    waiting, running = count(demand.waiting), count(demand.running)
    counted = waiting + running if rules.scale_on_in_flight else waiting
    if rules.target_latency_seconds is None or demand.seconds is None:
        wanted = math.ceil(counted / rules.queue_length)
        how = f" at {_capacity(rules)} each"
    else:
        backlog = _Backlog(demand, present, rules.target_latency_seconds)
        wanted = min(backlog.fewest(in_flight=rules.scale_on_in_flight), counted)
        how = f" {backlog.time}"
    wanted = max(wanted, 1 if waiting + running else 0)
    kept = min(present.running + len(present.coming), running)
    if not rules.scale_on_in_flight and kept > wanted:
        wanted, how = kept, ", since running tasks keep theirs"
    return Choice(wanted, f"{_told(waiting, running)}: {replicas(wanted)}{how}")


@dataclass(frozen=True)
class _Backlog:
    """Backlog that shall be done within a latency."""

    demand: Demand
    present: Present
    target: float

    @property
    def left(self) -> float:
        """Seconds that are left of the target for the oldest task."""
        return max(self.target - known_seconds(self.demand.oldest_seconds), 1.0)

    @property
    def start(self) -> float:
        return start_seconds(self.demand, self.present.start_seconds)

    @property
    def within(self) -> float:
        """Seconds within which the backlog shall be done: a start must be worth its while."""
        return max(self.left, _WORTH * self.start)

    @property
    def time(self) -> str:
        """Time within which the backlog shall be done, in words."""
        if self.within > self.left:
            return f"within {self.within:.0f} s, since a start takes {self.start:.0f} s"
        if self.left < self.target:
            return f"within {self.left:.0f} s, which are left of {self.target:.0f} s"
        return f"within {self.left:.0f} s"

    def fewest(self, *, in_flight: bool) -> int:
        """Return the fewest replicas that do all work in time.

        A line that gets too long before one more replica could help is reckoned with the tasks that
        will come, too: as many as lately, but for the last ones, which may wait in their turn.
        """
        waiting = count(self.demand.waiting)
        seconds = seconds_of_task(self.demand)
        halves = count(self.demand.running) / 2 if in_flight else 0  # half of each is done
        work = (waiting + halves) * seconds
        line = (waiting + max(self.present.growth, 0.0) * self.start) * seconds
        if in_flight and self.present.running and line > self._done(self.left):
            work += self.present.load * max(self.within - self.target, 0.0)
        return self._fewest(work)

    def _fewest(self, work: float) -> int:
        """Return the fewest replicas that do so many seconds of work."""
        number = self.present.running
        if work <= number * self.within:
            return math.ceil(work / self.within)
        left = work - number * self.within
        for seconds in self._worked(self.within):
            if left <= 0:
                return number
            left, number = left - seconds, number + 1
        return number + math.ceil(max(left, 0.0) / (self.within - self.start))

    def _done(self, within: float) -> float:
        """Return the seconds of work that the replicas do within a time."""
        return self.present.running * within + sum(self._worked(within))

    def _worked(self, within: float) -> Iterator[float]:
        """Yield the seconds within a time that each starting replica works, most first."""
        for seconds in self.present.coming:
            rest = min(start_seconds(self.demand, seconds), self.start)
            yield max(within - rest, 0.0)


def start_seconds(demand: Demand, running: float) -> float:
    """Return the seconds until a replica does its first task, from those until it runs."""
    return known_seconds(running) + known_seconds(demand.load_seconds)


def seconds_of_task(demand: Demand) -> float:
    """Return the mean seconds that a task takes of a replica, with the loading of checkpoints."""
    loading = min(max(0.0, demand.load_share), 1.0) * known_seconds(demand.load_seconds)
    return known_seconds(demand.seconds) + loading


def count(tasks: int) -> int:
    """Return a number of tasks within what is reckoned with."""
    return min(max(tasks, 0), _MOST_TASKS)


def replicas(number: int) -> str:
    """Say a number of replicas."""
    return f"{number} {'replica' if number == 1 else 'replicas'}"


def known_seconds(measured: float | None) -> float:
    """Return seconds within what is reckoned with; 0 for None, and for what is no number."""
    # In this order: compared with what is no number, `max` returns its first argument.
    return min(max(0.0, measured or 0.0), _MOST_SECONDS)


def _capacity(rules: Scaling) -> str:
    number = rules.queue_length
    waiting = "" if rules.scale_on_in_flight else "waiting "
    return f"{number} {waiting}{'task' if number == 1 else 'tasks'}"


def _told(waiting: int, running: int) -> str:
    runs = f"{running} {'runs' if running == 1 else 'run'}"
    if not waiting:
        return f"{running} {'task runs' if running == 1 else 'tasks run'}"
    waits = f"{waiting} {'task waits' if waiting == 1 else 'tasks wait'}"
    return f"{waits}, {runs}" if running else waits
