"""Memory of a runtime's scaling: the past, as far as the next decision needs it."""

import math
from dataclasses import dataclass, replace
from typing import Self

from deployments.scaling_rates import (
    History,
    Moment,
    with_change,
    with_higher_forgotten,
    with_lower_forgotten,
)
from models.settings.scaling import Scaling

_BUSY_SECONDS = 60.0
"""Time constant of the mean of busy replicas."""


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

    def ran(self, busy: int, *, idle: bool, now: float) -> Self:
        """Note how many replicas run tasks, and if there is no task at all."""
        passed = math.inf if self.measured is None else max(now - self.measured, 0.0)
        share = 1 - math.exp(-passed / _BUSY_SECONDS)
        active = self.active if idle and self.active is not None else now
        mean = self.busy + (busy - self.busy) * share
        return replace(self, busy=mean, measured=now, active=active)

    def missed(self, target: int, rules: Scaling, now: float) -> Self:
        """Note that nothing is known: there may be tasks that ask for what there is."""
        return replace(self.asked(target, rules, now), active=now, surplus=None)

    def changed(self, number: int, rules: Scaling, now: float) -> Self:
        """Note how many replicas are wanted more than before, or below 0 fewer."""
        rates = (rules.scale_up, rules.scale_down)
        return replace(self, changes=with_change(self.changes, Moment(now, number), rates))
