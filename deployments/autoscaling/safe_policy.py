"""Autoscaling policy that does Serve's controller no harm, whatever fails in it."""

import logging
import math
import time
from abc import ABC, abstractmethod
from typing import Any

log = logging.getLogger("ray.serve.atelier.autoscaler")

_COMPLAINT_SECONDS = 60.0


class SafePolicy(ABC):
    """Policy to be named in Serve's `AutoscalingPolicy`, which asks it several times a second.

    It raises nothing and waits for nothing: while a policy raises or blocks, Serve's controller
    deploys no application and replaces no replica. Whatever fails leaves the replicas as they are.
    Serve carries the policy's class to its controller by value, and what it imports by name.
    """

    def __init__(self) -> None:
        self._complained = -math.inf

    def __call__(self, context: Any) -> tuple[int, dict[str, Any]]:
        """Return the number of replicas for now; Serve's own notes are added to the other value."""
        target = int(context.target_num_replicas)
        now = time.monotonic()
        try:
            return self._wanted(context, target, now), {}
        except Exception:
            if now - self._complained > _COMPLAINT_SECONDS:
                self._complained = now
                log.exception("autoscaler_broke", extra={"runtime": context.deployment_name})
            return target, {}

    @abstractmethod
    def _wanted(self, context: Any, target: int, now: float) -> int:
        """Return the number of replicas to have now, in the event loop, without waiting.

        ``target``: the number that was wanted until now; ``now``: seconds of a monotonic clock.
        """
