"""Tasks that are routed, and what became of them."""

from collections.abc import Sequence
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
        at = {share: waits[min(int(share * len(waits)), len(waits) - 1)] for share in (0.5, 0.99)}
        return cls(loads, round(at[0.5], 2), round(at[0.99], 2), round(len(waits) / seconds, 2))


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
