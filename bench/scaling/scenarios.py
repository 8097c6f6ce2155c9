"""Scenarios: what is done to a fleet, and what is waited for; nothing is judged here.

Each begins and ends with nothing held, so that another may follow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.fake_cluster.cluster import Entry
from bench.scaling.observer import Observer, Sample, Told

LATE = 180.0
"""Seconds after which a wait is given up; nothing here takes a third of it on two idle cores."""
NOTICE_SECONDS = 60
"""Seconds from the notice of a node's end to that end, which never comes here."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Parameters of the scenarios."""

    tasks: int
    gpu_seconds: float
    """Time of a task on the simulated GPU."""
    load_seconds: float
    most_replicas: int
    queue_length: int
    """`queueLength`, which decides until tasks have been measured."""
    target_seconds: float | None
    """`targetLatencySeconds`; None: `queueLength` decides for good."""
    cooldown_seconds: float
    idle_seconds: int
    """`nodes.idleSeconds`."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of one scenario: all that was seen in it."""

    name: str
    published: Mapping[str, float]
    """Moment at which each task was visible, in seconds since the epoch."""
    told: Sequence[Told]
    samples: Sequence[Sample]
    bill: Sequence[Entry]
    attempts: Mapping[str, int]
    """Number of starts of each task."""


def from_zero(watch: Observer, setup: Setup) -> None:
    """Publish a burst to nobody; then nothing may start again for twice the cooldown."""
    watch.publish(setup.tasks, "from-zero")
    watch.until("all told", lambda now: now.backlog == 0, LATE)
    # Serve may wake a deployment again before its nodes are gone.
    quiet = watch.until("no replica", lambda now: now.is_at_zero, LATE).at
    quiet += 2 * setup.cooldown_seconds
    watch.until("twice the cooldown", lambda now: now.at > quiet, LATE)
    end_with_nothing(watch)


def killed(watch: Observer, setup: Setup) -> None:
    """Kill a node, without notice, while a task has its GPU."""
    watch.publish(setup.tasks, "killed")
    watch.fleet.cluster.kill(busy_node(watch))
    end_with_nothing(watch)


def drained(watch: Observer, setup: Setup) -> None:
    """Give notice of a node's end while a task has its GPU."""
    watch.publish(setup.tasks, "drained")
    watch.fleet.cluster.drain(busy_node(watch), NOTICE_SECONDS)
    end_with_nothing(watch)


def without_spot(watch: Observer, setup: Setup) -> None:
    """Publish a burst while there is no Spot capacity; Ray then leaves it alone for ten minutes."""
    watch.fleet.cluster.refuse(watch.spot)
    watch.publish(setup.tasks, "without-spot")
    end_with_nothing(watch)


Scenario = Callable[[Observer, Setup], None]
SCENARIOS: Mapping[str, Scenario] = {
    "from zero": from_zero,
    "a node killed": killed,
    "a node drained": drained,
    "no Spot": without_spot,
}


def played(name: str, scenario: Scenario, watch: Observer, setup: Setup) -> Outcome:
    """Play a scenario, and return what was seen in it.

    Raises:
        RuntimeError: something that was waited for did not come.
    """
    watch.until("nothing held", _nothing, LATE)
    samples, told, bill = len(watch.samples), len(watch.told), len(watch.fleet.cluster.bill)
    before = set(watch.published)
    scenario(watch, setup)
    published = {one: at for one, at in watch.published.items() if one not in before}
    return Outcome(
        name=name,
        published=published,
        told=watch.told[told:],
        samples=watch.samples[samples:],
        bill=[one for one in watch.fleet.cluster.bill[bill:] if one.group in watch.groups],
        attempts={task: watch.attempts(task) for task in published},
    )


def busy_node(watch: Observer) -> str:
    """Wait until a task has ended, so that the next one runs, and return the node of a replica."""
    first = len(watch.told)
    watch.until("a picture", lambda _: len(watch.told) > first, LATE)
    running = [one for one in watch.replicas() if one["state"] == "RUNNING"]
    node: str = running[0]["node_id"]
    return node


def end_with_nothing(watch: Observer) -> None:
    """Wait until all tasks have ended, and nothing is held any more."""
    watch.until("all told", lambda now: now.backlog == 0, LATE)
    watch.until("nothing held", _nothing, LATE)


def _nothing(now: Sample) -> bool:
    return now.is_empty and now.backlog == 0
