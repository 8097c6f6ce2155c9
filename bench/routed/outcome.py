"""Tasks that are routed, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from bench.simulation.traces import Task, Tasks


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Parameters of a measurement; times in seconds."""

    tasks: int = 400
    """Tasks of each trace."""
    seconds: float = 0.3
    """GPU time of a task."""
    load_seconds: float = 3.0
    replicas: int = 4
    admit: int = 4
    """Tasks that a replica admits at once."""
    checkpoints: int = 12
    exponent: float = 1.1
    """Exponent of Zipf's law, by which the checkpoints are asked for."""
    lookahead: int = 100
    """Tasks that all ingests lease beyond those that the replicas admit."""
    load_share: float = 0.7
    """Share of the rate that Serve's default router sustains, at which tasks arrive."""
    seed: int = 1


@dataclass(frozen=True)
class Outcome:
    """Figures of one trace."""

    loads: int
    p50: float
    """Median of the seconds from a task's sending to its begin, its load done."""
    p99: float
    rate: float
    """Tasks a second, from the first sending to the last end."""

    @classmethod
    def of(cls, waits: Sequence[float], loads: int, seconds: float) -> "Outcome":
        """Reckon the figures; ``seconds``: from the first sending to the last end."""
        waits = sorted(waits)
        p50, p99 = waits[len(waits) // 2], waits[-1 - beyond_p99(len(waits))]
        return cls(loads, round(p50, 2), round(p99, 2), round(len(waits) / seconds, 2))


@dataclass(frozen=True)
class Routed:
    """Trace as it was routed."""

    tasks: Tasks
    waits: Sequence[float]
    """Seconds from each task's sending to its begin, its load done."""
    loads: int
    seconds: float
    """Seconds from the first sending to the last end."""

    @property
    def outcome(self) -> Outcome:
        """Figures of the whole trace."""
        return Outcome.of(self.waits, self.loads, self.seconds)


def beyond_p99(tasks: int) -> int:
    """Count the tasks that wait longer than the p99 of so many."""
    return tasks - 1 - int(0.99 * tasks)


def backlog(setup: Setup) -> Tasks:
    """Make tasks that all wait from the begin."""
    return [Task(0.0, setup.seconds, each) for each in _checkpoints(setup)]


def arrivals(setup: Setup, rate: float) -> Tasks:
    """Make tasks that come at random times, so many a second."""
    random = Random(setup.seed)
    moments = accumulate(random.expovariate(rate) for _ in range(setup.tasks))
    chosen = zip(moments, _checkpoints(setup), strict=True)
    return [Task(at, setup.seconds, each) for at, each in chosen]


def _checkpoints(setup: Setup) -> list[int]:
    weights = [rank**-setup.exponent for rank in range(1, setup.checkpoints + 1)]
    return Random(f"checkpoints {setup.seed}").choices(
        range(setup.checkpoints), weights, k=setup.tasks
    )


BATCH, LIVE = "batch", "live"
_BATCH_AT = 10.0
"""Moment at which the batch is sent."""
_LIVE_SECONDS = 40


def mixed(setup: Setup) -> Tasks:
    """Make a batch of 100 tasks that one checkpoint draws, and a live task each second of others.

    There are two others, one asked for twice as often.
    """
    batch = [Task(_BATCH_AT, setup.seconds)] * 100
    live = [Task(float(at), setup.seconds, 1 + (at % 3 == 0)) for at in range(_LIVE_SECONDS)]
    return sorted([*live, *batch], key=lambda task: task.sent)


def parts(routed: Routed) -> Mapping[str, Outcome]:
    """Tell what the batch and the live tasks of `mixed` waited, each by itself."""
    waits: dict[str, list[float]] = {BATCH: [], LIVE: []}
    for task, wait in zip(routed.tasks, routed.waits, strict=True):
        waits[LIVE if task.checkpoint else BATCH].append(wait)
    return {part: Outcome.of(each, routed.loads, routed.seconds) for part, each in waits.items()}
