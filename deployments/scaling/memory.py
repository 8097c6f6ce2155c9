"""Memory of a runtime's scaling: the past, as far as the next decision needs it."""

import math
from dataclasses import dataclass, replace
from typing import Self

from deployments.scaling.rates import (
    History,
    Moment,
    with_change,
    with_higher_forgotten,
    with_lower_forgotten,
)
from models.fleet import Demand
from models.settings.scaling import Scaling

_SECONDS = 60.0
"""Time constant of the means, in seconds; that of waiting tasks is a start if it takes longer."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Past of a runtime; moments are seconds of the caller's monotonic clock."""

    highest: History = ()
    """Numbers asked for that may still be the highest of ``scaleDown``'s window."""
    lowest: History = ()
    """Numbers asked for that may still be the lowest of ``scaleUp``'s window."""
    changes: History = ()
    """Replicas that came and went within the longest period of the rates' policies."""
    starts: tuple[float, ...] = ()
    """Moments when those that start were wanted first, oldest first."""
    busy: float = 0
    """Mean of the replicas that run tasks, weighted towards now."""
    waiting: float = 0
    """Mean of the tasks that wait, weighted towards now."""
    seconds: float | None = None
    """GPU seconds of a task when they were known last."""
    measured: float | None = None
    """Moment of the newest measurement; None before the first."""
    active: float | None = None
    """Moment when a task was there, or none could be known; None before the first decision."""
    surplus: float | None = None
    """Moment since which more replicas run tasks than are asked for; None: no longer."""

    def starting(self, number: int, now: float) -> Self:
        """Note how many replicas start: the oldest starts are those that ended."""
        known = self.starts[max(len(self.starts) - number, 0) :]
        return replace(self, starts=(*known, *[now] * (number - len(known))))

    def asked(self, number: int, rules: Scaling, now: float) -> Self:
        """Note how many replicas the tasks ask for."""
        up, down = rules.scale_up, rules.scale_down
        latest = Moment(now, number)
        return replace(
            self,
            highest=with_lower_forgotten(self.highest, latest, down.stabilization_window_seconds),
            lowest=with_higher_forgotten(self.lowest, latest, up.stabilization_window_seconds),
        )

    def counted(self, waiting: int, busy: int, now: float, *, start_seconds: float) -> Self:
        """Note how many tasks wait, and how many replicas run one."""
        passed = math.inf if self.measured is None else max(now - self.measured, 0.0)
        recent = -math.expm1(-passed / _SECONDS)
        within_start = -math.expm1(-passed / max(start_seconds, _SECONDS))
        idle = not waiting and not busy
        return replace(
            self,
            busy=self.busy + (busy - self.busy) * recent,
            waiting=self.waiting + (waiting - self.waiting) * within_start,
            measured=now,
            active=self.active if idle and self.active is not None else now,
        )

    def growth(self, waiting: int, *, start_seconds: float) -> float:
        """Return by how many tasks a second the line of waiting ones grows; below 0 it shrinks."""
        return (waiting - self.waiting) / max(start_seconds, _SECONDS)

    def completed(self, demand: Demand) -> tuple[Demand, Self]:
        """Fill in what is not measured any more: whoever measures has started again."""
        if demand.seconds is None:
            return replace(demand, seconds=self.seconds), self
        return demand, replace(self, seconds=demand.seconds)

    def missed(self, target: int, rules: Scaling, now: float) -> Self:
        """Note that nothing is known: there may be tasks that ask for what there is."""
        return replace(self.asked(target, rules, now), active=now, surplus=None)

    def changed(self, number: int, rules: Scaling, now: float) -> Self:
        """Note how many replicas are wanted more than before, or below 0 fewer."""
        rates = (rules.scale_up, rules.scale_down)
        return replace(self, changes=with_change(self.changes, Moment(now, number), rates))
