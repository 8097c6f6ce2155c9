"""Traces: tasks that come in the course of hours, made anew from a seed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

HOUR = 3600.0
_DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Task:
    """Task as it is sent."""

    sent: float
    """Seconds since the trace's start."""
    seconds: float
    """GPU seconds that it takes, loading left out."""
    checkpoint: int = 0


Tasks = Sequence[Task]
"""Tasks in the order in which they are sent."""


def steady(random: Random) -> Tasks:
    """Make 8 hours of 1.2 replicas' work: a picture of 1.5 s each 1.25 s, at random times."""
    return [Task(at, 1.5) for at in _arrivals(random, lambda _: 0.8, 0.8, 8 * HOUR)]


def daily(random: Random) -> Tasks:
    """Make a day of three replicas' work at noon, and three tasks an hour in the night."""
    return [Task(at, 4) for at in _arrivals(random, _by_day(0.75, 3 / HOUR), 0.76, _DAY)]


def burst(random: Random) -> Tasks:
    """Make 10,000 pictures of 1.5 s within 200 s, an hour after a first one: at zero again."""
    crowd = (random.uniform(HOUR, HOUR + 200) for _ in range(10_000))
    return [Task(at, 1.5) for at in (0.0, *sorted(crowd))]


def zipf(random: Random) -> Tasks:
    """Make 6 hours of pictures of 4 s with 50 checkpoints, asked for by Zipf's law."""
    weights = list(accumulate(1 / rank for rank in range(1, 51)))
    arrivals = _arrivals(random, lambda _: 0.5, 0.5, 6 * HOUR)
    return [Task(at, 4, random.choices(range(50), cum_weights=weights)[0]) for at in arrivals]


def mix(random: Random) -> Tasks:
    """Make 8 hours of pictures of 1.5 s, and one video of 5 minutes among twenty tasks."""
    arrivals = _arrivals(random, lambda _: 0.1, 0.1, 8 * HOUR)
    picked = ((at, random.choices((0, 1), (95, 5))[0]) for at in arrivals)
    return [Task(at, 300 if video else 1.5, video) for at, video in picked]


def sparse(random: Random) -> Tasks:
    """Make a day of pictures of 1.5 s, one in 400 s."""
    return [Task(at, 1.5) for at in _arrivals(random, lambda _: 1 / 400, 1 / 400, _DAY)]


def whole(random: Random) -> Tasks:
    """Make a day with a busy daytime, a burst of 5,000, 12 checkpoints and 2 % of long tasks."""
    by_day = _arrivals(random, _by_day(1.2, 0.02), 1.22, _DAY)
    arrivals = sorted([*by_day, *(40_000 + number / 50 for number in range(5_000))])
    return [
        Task(at, random.choices((1.5, 60), (98, 2))[0], min(11, int(random.paretovariate(1.1)) - 1))
        for at in arrivals
    ]


@dataclass(frozen=True)
class Trace:
    """Tasks of some hours, and the most replicas that may do them."""

    make: Callable[[Random], Tasks]
    hours: float
    most: int = 20


TRACES: Mapping[str, Trace] = {
    "steady": Trace(steady, 8),
    "daily": Trace(daily, 24),
    "burst": Trace(burst, 2, most=100),
    "zipf": Trace(zipf, 6),
    "mix": Trace(mix, 8),
    "sparse": Trace(sparse, 24),
    "whole": Trace(whole, 24),
}
"""Trace of each name."""


def _by_day(most: float, least: float) -> Callable[[float], float]:
    """Return a rate in tasks a second that rises and falls from 7 to 19 o'clock."""

    def rate(at: float) -> float:
        hour = at / HOUR % 24
        return least + most * max(math.sin(math.pi * (hour - 7) / 12), 0.0)

    return rate


def _arrivals(
    random: Random, rate: Callable[[float], float], highest: float, seconds: float
) -> Iterator[float]:
    """Yield random moments at a rate that never is higher than the highest one."""
    at = random.expovariate(highest)
    while at < seconds:
        if random.random() * highest < rate(at):
            yield at
        at += random.expovariate(highest)
