"""Policies: ours, and the reference's (KEDA with a HorizontalPodAutoscaler)."""

import math
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, Self

from cli.cost.gpu_hours import NEVER, seconds_of
from deployments.scaling import Memory, Observed, decide
from deployments.scaling.bounds import Bounds
from deployments.scaling.rates import least_by_rate, most_by_rate
from models.capacity import bounded_scaling
from models.fleet import Demand
from models.settings import Runtime, Settings
from models.settings.scaling import BoundedScaling, Scaling

_MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)


class Policy(Protocol):
    """Policy of how many replicas there shall be."""

    look_seconds: float
    """Seconds between two looks."""
    tail_seconds: float
    """Seconds that a node stays after its replica."""
    grace_seconds: float
    """Seconds that a replica which shall go has for what it runs."""
    drain_seconds: float
    """Seconds that a replica on a node which is interrupted has for what it runs."""
    redelivery_seconds: float
    """Seconds until a task that was cut off is in the line again."""

    @property
    def most(self) -> int:
        """Most nodes, each with a GPU for one replica."""

    def wanted(self, demand: Demand, supply: Observed, now: float) -> int:
        """Return how many replicas there shall be from now on."""

    def least(self, now: float) -> int:
        """Return how many replicas are kept now though no task is there."""


@dataclass
class Ours:
    """Policy of `deployments.scaling`, as Serve's autoscaler calls it."""

    rules: BoundedScaling
    tail_seconds: float
    drain_seconds: float
    look_seconds: float = 1
    grace_seconds: float = math.inf  # what runs at scale-in ends, however long it takes
    redelivery_seconds: float = 0
    _memory: Memory = field(default_factory=Memory)

    @classmethod
    def of(cls, settings: Settings, runtime: Runtime) -> Self:
        """Make the policy of a runtime, whose nodes come and go as on AWS."""
        rules = bounded_scaling(runtime, on_aws=True)
        nodes = runtime.nodes
        stays = seconds_of(nodes.consolidate_after)
        tail = math.inf if nodes.consolidate_after == NEVER else nodes.idle_seconds + stays
        return cls(rules, tail_seconds=tail, drain_seconds=settings.tasks.drain_seconds)

    @property
    def most(self) -> int:
        return self.rules.max_replicas

    def wanted(self, demand: Demand, supply: Observed, now: float) -> int:
        decided = decide(demand, supply, self.rules, self._memory, now=now, wall=_wall(now))
        self._memory = decided.memory
        return decided.wanted

    def least(self, now: float) -> int:
        return Bounds.at(_wall(now), self.rules).least


def _wall(now: float) -> datetime:
    return _MIDNIGHT + timedelta(seconds=now)


_HPA = Scaling.model_validate(
    {
        "scaleUp": {
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ]
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    }
)
"""Behaviour of a HorizontalPodAutoscaler that nobody has set otherwise."""


@dataclass
class Keda:
    """KEDA's scaler of an SQS queue, and the HorizontalPodAutoscaler that it drives."""

    most: int
    queue_length: int = 10
    cooldown_seconds: float = 300
    sync_seconds: float = 15
    """Seconds between two looks of the HorizontalPodAutoscaler."""
    tolerance: float = 0.1
    """Share by which the metric may be off before the autoscaler acts."""
    look_seconds: float = 1  # pollingInterval
    tail_seconds: float = 30  # consolidateAfter
    grace_seconds: float = 60
    drain_seconds: float = 60
    redelivery_seconds: float = 30
    _past: Memory = field(default_factory=Memory)
    _active: float = -math.inf
    _synced: float = -math.inf

    def wanted(self, demand: Demand, supply: Observed, now: float) -> int:
        messages = demand.tasks
        if messages:
            self._active = now
        if not supply.target:
            return 1 if messages else 0
        if not messages and now - self._active >= self.cooldown_seconds:
            return 0
        if now - self._synced < self.sync_seconds:
            return supply.target
        self._synced = now
        return self._by_metric(messages, supply.target, now)

    def least(self, now: float) -> int:
        del now  # it keeps none
        return 0

    def _by_metric(self, messages: int, current: int, now: float) -> int:
        ratio = messages / (self.queue_length * current)
        asked = current if abs(ratio - 1) <= self.tolerance else self._asked(messages)
        self._past = self._past.asked(asked, _HPA, now)
        up, down = asked, self._past.highest[0].replicas
        wanted = up if up > current else min(down, current)
        most = most_by_rate(_HPA.scale_up, current, self._past.changes, now) or self.most
        least = least_by_rate(_HPA.scale_down, current, self._past.changes, now)
        wanted = min(max(wanted, least, 1), most, self.most)
        self._past = self._past.changed(wanted - current, _HPA, now)
        return wanted

    def _asked(self, messages: int) -> int:
        return max(math.ceil(messages / self.queue_length), 1)


def described(policy: Ours | Keda, *, bounded: bool) -> dict[str, Any]:
    """Return a policy's parameters, as JSON has them.

    ``bounded``: the most replicas are the policy's own, and not each trace's.
    """
    public = {each.name: getattr(policy, each.name) for each in fields(policy)}
    shown = {name: value for name, value in public.items() if not name.startswith("_")}
    if isinstance(policy, Ours):
        exclude = None if bounded else {"max_replicas"}
        shown["rules"] = policy.rules.model_dump(mode="json", by_alias=True, exclude=exclude)
    shown.pop("most", None)
    return {name: str(value) if value == math.inf else value for name, value in shown.items()}
