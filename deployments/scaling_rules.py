"""Rules by which a runtime's tasks ask for replicas: by their number, or within a latency."""

import math
from collections.abc import Sequence
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
    """Replicas that there are, in the seconds that the rule of latency reckons with."""

    running: int
    coming: Sequence[float]
    """Seconds that each of the starting ones still needs until it runs, fewest first."""
    start_seconds: float
    """Seconds that the start of one more takes."""


def asked(demand: Demand, present: Present, rules: Scaling) -> Choice:
    """Choose how many replicas the tasks of now ask for, at least one if there is any.

    Bounds, rates and the past are left to others.
    """
    waiting, running = count(demand.waiting), count(demand.running)
    counted = waiting + running if rules.scale_on_in_flight else waiting
    if rules.target_latency_seconds is None or demand.seconds is None:
        wanted = math.ceil(counted / rules.queue_length)
        how = f"at {rules.queue_length} {_what(rules)} each"
    else:
        load = _seconds(demand.load_seconds)
        start = _seconds(present.start_seconds) + load
        left = rules.target_latency_seconds - _seconds(demand.oldest_seconds)
        within = max(left, _WORTH * start, 1.0)
        halves = running / 2 if rules.scale_on_in_flight else 0  # half of each is done
        work = (waiting + halves) * seconds_of_task(demand)
        worked = [within - min(_seconds(rest) + load, start) for rest in present.coming]
        wanted = _fewest(work, within, present.running, worked, within - start)
        wanted = min(wanted, counted)
        how = f"within {within:.0f} s"
    if not rules.scale_on_in_flight:
        wanted = max(wanted, min(present.running + len(present.coming), running))
    wanted = max(wanted, 1 if waiting + running else 0)
    return Choice(wanted, f"{_told(waiting, running)}: {replicas(wanted)} {how}")


def seconds_of_task(demand: Demand) -> float:
    """Return the mean seconds that a task takes of a replica, with the loading of checkpoints."""
    loading = min(max(demand.load_share, 0.0), 1.0) * _seconds(demand.load_seconds)
    return _seconds(demand.seconds) + loading


def count(tasks: int) -> int:
    """Return a number of tasks within what is reckoned with."""
    return min(max(tasks, 0), _MOST_TASKS)


def replicas(number: int) -> str:
    """Say a number of replicas."""
    return f"{number} {'replica' if number == 1 else 'replicas'}"


def _fewest(
    work: float, within: float, running: int, worked: Sequence[float], of_one_more: float
) -> int:
    """Return the fewest replicas that do so many seconds of work within a time.

    ``worked``: seconds within it that each of those that start now can work, most first;
    ``of_one_more``: those of a replica that is yet to start.
    """
    if work <= running * within:
        return math.ceil(work / within)
    left, number = work - running * within, running
    for seconds in worked:
        if left <= 0:
            return number
        left, number = left - seconds, number + 1
    return number + math.ceil(max(left, 0.0) / of_one_more)


def _seconds(measured: float | None) -> float:
    return min(max(measured or 0.0, 0.0), _MOST_SECONDS)


def _what(rules: Scaling) -> str:
    return "tasks" if rules.scale_on_in_flight else "waiting tasks"


def _told(waiting: int, running: int) -> str:
    runs = f"{running} {'runs' if running == 1 else 'run'}"
    if not waiting:
        return f"{running} {'task runs' if running == 1 else 'tasks run'}"
    waits = f"{waiting} {'task waits' if waiting == 1 else 'tasks wait'}"
    return f"{waits}, {runs}" if running else waits
