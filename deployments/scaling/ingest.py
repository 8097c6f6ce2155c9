"""Number of ingest replicas that a fleet needs, by the tasks a second that it ends."""

import math
from dataclasses import dataclass

from models.fleet import Demand

TASKS_PER_SECOND = 25.0
"""Tasks a second for each replica of ingest: half of what one core brought through (2026-11-30)."""
_CALM_SECONDS = 300.0
"""Seconds for which fewer must have been enough before any goes: what it holds is leased anew."""
_SHORTEST_TASK = 0.02
"""Fewest seconds that a task is taken to need: less than any picture."""


def rate_of(demand: Demand) -> float:
    """Return the tasks a second that replicas with a task end; 0 before any has ended."""
    if demand.seconds is None:
        return 0.0
    return demand.running / max(demand.seconds, _SHORTEST_TASK)


@dataclass
class IngestScale:
    """Number of ingest replicas: more at once, fewer only after five calm minutes.

    ``least`` and ``most``: bounds, of 1 at least.
    """

    least: int
    most: int
    _enough: int = 0
    """Most replicas that were needed in the calm minutes so far."""
    _calm_since: float = math.inf
    """Time since which fewer than there are have been enough; infinite while all are needed."""

    def wanted(self, target: int, rate: float, now: float) -> int:
        """Return the number of replicas to have now.

        ``target``: the number that was wanted until now; ``rate``: tasks a second that the running
        replicas of all runtimes end; ``now``: seconds of a monotonic clock.
        """
        needed = min(max(math.ceil(rate / TASKS_PER_SECOND), self.least), self.most)
        if needed >= target:
            self._calm_since = math.inf
            return needed
        if self._calm_since == math.inf:
            self._calm_since, self._enough = now, needed
        self._enough = max(self._enough, needed)
        if now - self._calm_since < _CALM_SECONDS:
            return min(max(target, self.least), self.most)
        self._calm_since = math.inf
        return self._enough
