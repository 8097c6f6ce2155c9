"""Rates at which replicas come and go, with the meaning of Kubernetes' HorizontalPodAutoscaler."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from models.settings.scaling import Rate, RatePolicy


@dataclass(frozen=True)
class Moment:
    """Number of replicas at a moment: how many were asked for, or came (and, below 0, went)."""

    at: float
    """Seconds of a monotonic clock."""
    replicas: int


History = tuple[Moment, ...]
"""Moments, oldest first."""


def with_lower_forgotten(history: History, latest: Moment, window: float) -> History:
    """Add a moment, and keep those that may still be the highest within a window of seconds."""
    kept = (old for old in _within(history, window, latest.at) if old.replicas > latest.replicas)
    return (*kept, latest)


def with_higher_forgotten(history: History, latest: Moment, window: float) -> History:
    """Add a moment, and keep those that may still be the lowest within a window of seconds."""
    kept = (old for old in _within(history, window, latest.at) if old.replicas < latest.replicas)
    return (*kept, latest)


def with_change(changes: History, latest: Moment, rates: Iterable[Rate]) -> History:
    """Add a change, and keep those that some policy's period still reaches.

    Changes of the same second and direction are one, which bounds how many are kept.
    """
    periods = [policy.period_seconds for rate in rates for policy in rate.policies]
    kept = tuple(_within(changes, max(periods, default=0), latest.at))
    if not periods or not latest.replicas:
        return kept
    last = kept[-1] if kept else None
    if last and latest.at - last.at < 1 and (last.replicas > 0) == (latest.replicas > 0):
        return (*kept[:-1], Moment(last.at, last.replicas + latest.replicas))
    return (*kept, latest)


def most_by_rate(rate: Rate, current: int, changes: History, now: float) -> int | None:
    """Return the most replicas that a rate lets there be now; None if it sets no bound."""
    if rate.select_policy == "Disabled":
        return current
    if not rate.policies:
        return None
    select = min if rate.select_policy == "Min" else max
    proposed = (_raised(policy, _start(policy, current, changes, now)) for policy in rate.policies)
    return max(select(proposed), current)


def least_by_rate(rate: Rate, current: int, changes: History, now: float) -> int:
    """Return the fewest replicas that a rate lets there be now."""
    if rate.select_policy == "Disabled":
        return current
    if not rate.policies:
        return 0
    # The policy of the largest change proposes the lowest number.
    select = max if rate.select_policy == "Min" else min
    proposed = (_lowered(policy, _start(policy, current, changes, now)) for policy in rate.policies)
    return min(select(proposed), current)


def _within(history: History, window: float, now: float) -> Iterable[Moment]:
    return (moment for moment in history if moment.at > now - window)


def _start(policy: RatePolicy, current: int, changes: History, now: float) -> int:
    """Return how many replicas there were at the start of a policy's period."""
    recent = _within(changes, policy.period_seconds, now)
    return current - sum(change.replicas for change in recent)


def _raised(policy: RatePolicy, start: int) -> int:
    if policy.type == "Pods":
        return start + policy.value
    return math.ceil(start * (1 + Fraction(policy.value, 100)))


def _lowered(policy: RatePolicy, start: int) -> int:
    if policy.type == "Pods":
        return start - policy.value
    return math.floor(start * (1 - Fraction(policy.value, 100)))
