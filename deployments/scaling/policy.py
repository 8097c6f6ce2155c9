"""Scaling policy: how many replicas a runtime shall have now, and the reason in words.

Pure functions, without Ray and without a clock: Serve's autoscaler, the simulator and the estimates
of when a task ends all call them.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from deployments.scaling.bounds import Bounds
from deployments.scaling.memory import Memory
from deployments.scaling.rates import least_by_rate, most_by_rate
from deployments.scaling.rules import (
    Choice,
    Present,
    asked,
    count,
    known_seconds,
    seconds_of_task,
    start_seconds,
)
from models.fleet import Demand, Supply
from models.settings.scaling import LEAST_COOLDOWN_SECONDS, Rate, Scaling

__all__ = ["Decision", "Memory", "Observed", "decide", "eta"]

START_SECONDS = 120.0
"""Seconds that a replica's start is taken to last before one was measured."""
_BUSY_SHARE = 0.85
"""Share of their time that replicas may work before one fewer would be too few."""
_OVERDUE_SHARE = 0.1
"""Share of a start that one is taken to need that has lasted for as long as they do."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Replicas of a runtime as Serve's controller has them."""

    target: int
    """Replicas that are wanted until now."""
    running: int = 0
    """Replicas that take tasks; those that leave are not among them."""
    start_seconds: float | None = None
    """Seconds from wanting a replica to its running, lately; None before the first."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Number of replicas for now."""

    wanted: int
    reason: str
    """Reason for the number, in words that a person understands."""
    memory: Memory
    """Memory to hand to the next decision."""


def decide(
    demand: Demand | None,
    supply: Observed,
    rules: Scaling,
    memory: Memory,
    *,
    now: float,
    wall: datetime,
) -> Decision:
    """Decide how many replicas a runtime shall have; raises nothing.

    ``demand``: None if nothing is measured, then all stays as it is; ``rules``: with both bounds
    set; ``now``: seconds of a monotonic clock; ``wall``: the moment by which a schedule holds.
    """
    case = _Case(supply, rules, Bounds.at(wall, rules), now)
    memory = memory.starting(max(supply.target - supply.running, 0), now)
    if demand is None or memory.measured is None:
        memory = memory.missed(supply.target, rules, now)
    if demand is None:
        choice = Choice(supply.target, f"no measurement: kept at {supply.target}")
    else:
        demand, memory = memory.completed(demand)
        memory = case.counted(demand, memory)
        present = case.present(demand, memory)
        wish = asked(demand, present, rules)
        memory = memory.asked(wish.replicas, rules, now)
        choice, memory = case.choice(demand, present, wish, memory)
    choice = case.bounds.kept(choice)
    # KEDA, not the autoscaler with the rates, brings the first replica and takes the last.
    change = max(choice.replicas, 1) - max(supply.target, 1)
    memory = memory.changed(change, rules, now)
    return Decision(wanted=choice.replicas, reason=choice.reason, memory=memory)


@dataclass(frozen=True)
class _Case:
    """Situation to decide on: what there is, the rules, and the moment."""

    supply: Observed
    rules: Scaling
    bounds: Bounds
    now: float

    @property
    def start(self) -> float:
        """Seconds that a start takes until the replica runs."""
        return START_SECONDS if self.supply.start_seconds is None else self.supply.start_seconds

    def counted(self, demand: Demand, memory: Memory) -> Memory:
        """Note what was measured."""
        start = start_seconds(demand, self.start)
        waiting, busy = count(demand.waiting), count(demand.running)
        return memory.counted(waiting, busy, self.now, start_seconds=start)

    def present(self, demand: Demand, memory: Memory) -> Present:
        """Return what the tasks can reckon with."""
        start = start_seconds(demand, self.start)
        growth = memory.growth(count(demand.waiting), start_seconds=start)
        return Present(
            running=min(self.supply.running, self.supply.target),
            coming=[self.start - (self.now - began) for began in memory.starts],
            start_seconds=self.start,
            growth=growth,
            # Those that are busy do what comes, and what the line gets shorter by.
            load=max(memory.busy + growth * seconds_of_task(demand), 0.0),
        )

    def choice(
        self, demand: Demand, present: Present, wish: Choice, memory: Memory
    ) -> tuple[Choice, Memory]:
        """Choose between what the tasks ask for and what there is; note a surplus."""
        calm = replace(memory, surplus=None)
        if not wish.replicas:
            if self._gone(memory):
                return Choice(0, "nothing to do"), calm
            wish = Choice(min(self.supply.target, 1), self._idle(memory))
        up = max(memory.lowest[0].replicas, min(wish.replicas, 1))
        down = max(memory.highest[0].replicas, 1)
        if up > self.supply.target:
            return self._raised(up, wish, memory), calm
        if down < self.supply.target:
            return self._lowered(down, demand, present, wish, memory)
        return self._held(wish, memory), calm

    def _gone(self, memory: Memory) -> bool:
        """Tell whether the last replica may go, whatever the rates: KEDA's step, too."""
        return not self.bounds.least and self._idled(memory) >= self._cooldown

    @property
    def _cooldown(self) -> float:
        """Seconds without a task before none stays; nobody gains by a start that none needs."""
        running = self.supply.running > 0
        return max(self.rules.cooldown_seconds if running else 0.0, LEAST_COOLDOWN_SECONDS)

    def _idled(self, memory: Memory) -> float:
        return self.now - (self.now if memory.active is None else memory.active)

    def _idle(self, memory: Memory) -> str:
        if self.bounds.least or not self.supply.target:
            return "nothing to do"
        idled, cooldown = self._idled(memory), self._cooldown
        return f"nothing to do for {idled:.0f} s, down to zero after {cooldown:.0f} s"

    def _held(self, wish: Choice, memory: Memory) -> Choice:
        target = self.supply.target
        if wish.replicas == target:
            return wish
        if wish.replicas > target:
            return _kept(target, wish, _within("few", self.rules.scale_up))
        return self._lately(target, wish, memory)

    def _lately(self, number: int, wish: Choice, memory: Memory) -> Choice:
        """Keep as many as were wanted lately; say nothing of it where all go before that ends."""
        rate = self.rules.scale_down
        idles = not self.bounds.least and self._idled(memory) > 0
        if idles and self._cooldown <= rate.stabilization_window_seconds:
            return Choice(number, wish.reason)
        return _kept(number, wish, _within("many", rate))

    def _raised(self, number: int, wish: Choice, memory: Memory) -> Choice:
        current = max(self.supply.target, 1)
        most = most_by_rate(self.rules.scale_up, current, memory.changes, self.now)
        if most is None or number <= most:
            return Choice(number, wish.reason)
        if self.rules.scale_up.select_policy == "Disabled":
            return Choice(most, f"{wish.reason}, {most} at most: scaleUp is Disabled")
        return Choice(most, f"{wish.reason}, {most} for now: scaleUp lets no more come at once")

    def _lowered(
        self, number: int, demand: Demand, present: Present, wish: Choice, memory: Memory
    ) -> tuple[Choice, Memory]:
        target = self.supply.target
        slow = least_by_rate(self.rules.scale_down, target, memory.changes, self.now)
        steady = min(math.ceil(present.load / _BUSY_SHARE), target)
        floor = max(number, steady, slow)
        busy = min(count(demand.running), target)
        since = (self.now if memory.surplus is None else memory.surplus) if busy > floor else None
        memory = replace(memory, surplus=since)
        if since is not None and self.now - since < self._cooldown:
            return _kept(busy, wish, "each of them runs a task"), memory
        if floor == wish.replicas:
            return wish, memory
        if floor == number:
            return self._lately(floor, wish, memory), memory
        if floor == steady:
            mean = f"lately {present.load:.1f} were busy on average, with some to spare"
            return _kept(floor, wish, mean), memory
        disabled = self.rules.scale_down.select_policy == "Disabled"
        why = "is Disabled" if disabled else "lets no more go at once"
        return _kept(floor, wish, f"scaleDown {why}"), memory


def _within(number: str, rate: Rate) -> str:
    return f"as {number} were wanted within the last {rate.stabilization_window_seconds} s"


def _kept(number: int, wish: Choice, why: str) -> Choice:
    return Choice(number, f"{wish.reason}, kept at {number}: {why}")


def eta(position: int, demand: Demand, supply: Supply, rules: Scaling) -> float | None:
    """Estimate the seconds until the task at a place in the queue ends; None if nothing is known.

    ``position``: 0 for the next one. Replicas that start are taken to come with the first of them,
    one that is late within a tenth of a start, and a checkpoint's loading is counted once.
    """
    if demand.seconds is None:
        return None
    most = max(supply.wanted, 1) if rules.max_replicas is None else rules.max_replicas
    running = min(len(supply.running), most)
    coming = min(max(supply.wanted - running, 0 if running else 1), most - running)
    whole = START_SECONDS if supply.start_seconds is None else known_seconds(supply.start_seconds)
    start = max(whole - known_seconds(supply.starting_seconds), whole * _OVERDUE_SHARE)
    ahead = (max(position, 0) + min(max(demand.running, 0), running) / 2) * seconds_of_task(demand)
    begun = ahead / running if running else math.inf
    if begun > start and coming:
        begun = (ahead + coming * start) / (running + coming)
    loaded = begun + known_seconds(demand.load_seconds)
    return loaded + known_seconds(demand.seconds)
