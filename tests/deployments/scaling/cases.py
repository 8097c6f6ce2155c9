"""Short words for situations of the scaling policy."""

from datetime import UTC, datetime
from typing import Any

from deployments.scaling import Observed
from models.fleet import Demand
from models.settings.scaling import Scaling

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
"""Noon of a Monday."""


def rules(**given: Any) -> Scaling:
    return Scaling.model_validate({"minReplicas": 0, "maxReplicas": 20} | given)


def tasks(waiting: int = 0, running: int = 0, **given: Any) -> Demand:
    return Demand(waiting=waiting, running=running, **given)


def there(target: int, running: int | None = None, start: float | None = 30) -> Observed:
    now = target if running is None else running
    return Observed(target=target, running=now, start_seconds=start)


LATENCY = {"targetLatencySeconds": 60}
SPARING = {"scaleOnInFlight": False}
BY_DAY = {"schedule": [{"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "minReplicas": 3}]}
BY_NIGHT = {"schedule": [{"start": "0 18 * * *", "end": "0 8 * * *", "minReplicas": 3}]}
IN_TOKYO = {"schedule": [BY_NIGHT["schedule"][0] | {"timezone": "Asia/Tokyo"}]}
PODS = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}}
PERCENT = {"scaleUp": {"policies": [{"type": "Percent", "value": 50, "periodSeconds": 15}]}}
BOTH = {"scaleUp": {"policies": PODS["scaleUp"]["policies"] + PERCENT["scaleUp"]["policies"]}}
LESS = {"scaleUp": BOTH["scaleUp"] | {"selectPolicy": "Min"}}
NEVER = {"scaleUp": {"selectPolicy": "Disabled"}}


def goes(*policies: tuple[str, int], **given: Any) -> dict[str, Any]:
    """Let replicas go at once, by policies of a type and a value in 15 seconds each."""
    rates = [{"type": kind, "value": value, "periodSeconds": 15} for kind, value in policies]
    return {"scaleDown": {"stabilizationWindowSeconds": 0, "policies": rates} | given}
