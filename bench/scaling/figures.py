"""Figures of a scenario: how soon there was something, how long it was held, what it worked."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from statistics import median, quantiles

from bench.scaling.observer import Sample
from bench.scaling.scenarios import Outcome, Setup


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of one scenario, in seconds where nothing else is said."""

    tasks: int
    told_once: int
    """Tasks of which exactly one end was told."""
    attempts: int
    """Starts of tasks, all together."""
    target_set: float
    """Seconds from the first message visible in the queue to a target that is not zero."""
    node_launched: float
    running: float
    """Seconds from the first message to the first replica that runs."""
    first_picture: float
    latency_p50: float
    latency_p95: float
    all_done: float
    """Seconds from the first message to the last end."""
    replicas_gone: float
    """Seconds from the last end to no replica."""
    nodes_gone: float
    needless: int
    """Replicas that were wanted once more after all were gone."""
    wanted_most: int
    replicas_most: int
    nodes_most: int
    spot: int
    """Nodes launched, by kind of capacity."""
    on_demand: int
    refused: int
    held: float
    """GPU-seconds of nodes, from launch to end."""
    worked: float
    """GPU-seconds of tasks and loads."""
    held_to_worked: float
    held_to_always: float
    """Held, over what as many GPUs as `maxReplicas` would have been held until nothing was."""


def figures(outcome: Outcome, setup: Setup, log: Path) -> Figures:
    """Reckon a scenario's figures; ``log``: of the simulated GPU."""
    began = min(outcome.published.values())
    last = max(one.at for one in outcome.told)
    after = [sample for sample in outcome.samples if sample.at > last]
    late = [one.at - outcome.published[one.task] for one in outcome.told]
    ends = Counter(one.task for one in outcome.told)
    what = Counter((entry.what, entry.group.rpartition("-spot")[1]) for entry in outcome.bill)
    held, worked = _held(outcome), _worked(log, began, outcome.samples[-1].at)
    gone = next(sample.at for sample in after if sample.is_empty)
    always = setup.most_replicas * (gone - began)
    return Figures(
        tasks=len(outcome.published),
        told_once=sum(ends[task] == 1 for task in outcome.published),
        attempts=sum(outcome.attempts.values()),
        target_set=_first(outcome.samples, lambda now: now.wanted > 0, began),
        node_launched=_first(outcome.samples, lambda now: now.nodes > 0, began),
        running=_first(outcome.samples, lambda now: now.running > 0, began),
        first_picture=round(min(one.at for one in outcome.told) - began, 2),
        latency_p50=round(median(late), 2),
        latency_p95=round(quantiles(late, n=20)[-1], 2),
        all_done=round(last - began, 2),
        replicas_gone=_first(after, lambda now: now.is_at_zero, last),
        nodes_gone=round(gone - last, 2),
        needless=max((sample.wanted for sample in _from_zero_on(after)), default=0),
        wanted_most=max(sample.wanted for sample in outcome.samples),
        replicas_most=max(sample.running + sample.starting for sample in outcome.samples),
        nodes_most=_most_at_once(outcome),
        spot=what["launched", "-spot"],
        on_demand=what["launched", ""],
        refused=what["refused", "-spot"],
        held=round(held, 1),
        worked=round(worked, 1),
        held_to_worked=round(held / worked, 2),
        held_to_always=round(held / always, 2),
    )


def _first(samples: Iterable[Sample], is_so: Callable[[Sample], bool], began: float) -> float:
    return next(round(one.at - began, 2) for one in samples if is_so(one))


def _from_zero_on(samples: Iterable[Sample]) -> Iterable[Sample]:
    """Return the samples from the first on without a replica; its nodes may still be there."""
    return dropwhile(lambda now: not now.is_at_zero, samples)


def _held(outcome: Outcome) -> float:
    """Sum up the seconds of all nodes; one that still is there counts up to the last sample."""
    ends = {entry.node: entry.at for entry in outcome.bill if entry.what == "ended"}
    end = outcome.samples[-1].at
    return sum(
        ends.get(entry.node, end) - entry.at for entry in outcome.bill if entry.what == "launched"
    )


def _most_at_once(outcome: Outcome) -> int:
    there, most = set[str](), 0
    for entry in outcome.bill:
        if entry.what == "launched":
            there.add(entry.node)
        elif entry.what == "ended":
            there.discard(entry.node)
        most = max(most, len(there))
    return most


def _worked(log: Path, begin: float, end: float) -> float:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sum(float(one["end"] - one["start"]) for one in lines if begin < one["start"] < end)
