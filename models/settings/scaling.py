"""Group of settings that says how the replicas of a runtime follow its queue."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, model_validator

from models.settings.base import Group
from models.settings.values import Positive

LEAST_COOLDOWN_SECONDS = 12
"""Lowest of ``cooldownSeconds`` that counts: Serve wakes a deployment again by counts of requests
that are up to 10 seconds old."""
_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)
"""Moment from which an expression is read to see if it is one."""
_MINUTE = timedelta(minutes=1)


_STARTS_LOOKED_AT = 10_000
"""Starts of hours, each an end as well, after which these hours are said to hold never."""


def _cron(given: str) -> str:
    fields = given.split()
    if len(fields) == 5:  # noqa: PLR2004 - with a sixth, the seconds come first
        if _is_cron(fields):
            return given
        minute, hour, day, month, weekday = fields
        if _is_cron([minute, hour, day, "*", weekday]) and _is_cron(["0", "0", "*", month, "*"]):
            raise ValueError("never comes: no such month has a day of this number")
    raise ValueError("must be a cron expression of five fields, such as 0 8 * * 1-5")


def _is_cron(fields: Iterable[str]) -> bool:
    try:
        CronSim(" ".join(fields), _ANY_DAY)
    except CronSimError:
        return False
    return True


@lru_cache(maxsize=256)  # it may take a second, and settings are read again and again
def _always_ends_at_start(start: str, end: str) -> bool:
    """Tell whether each moment of one cron expression is one of another, too."""
    starts = islice(CronSim(start, _ANY_DAY), _STARTS_LOOKED_AT)
    return all(next(CronSim(end, moment - _MINUTE), None) == moment for moment in starts)


def _zone(given: str) -> str:
    try:
        ZoneInfo(given)
    except (LookupError, OSError, ValueError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin") from None
    return given


class RatePolicy(Group):
    """Bound on how many replicas come or go within a period."""

    type: Literal["Pods", "Percent"]
    value: Positive
    """Replicas, or percent of those that there were at the start of the period."""
    period_seconds: Annotated[int, Field(ge=1, le=1_800)]


class Rate(Group):
    """Rate at which replicas come or go, in the words of Kubernetes' HorizontalPodAutoscaler."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3_600)] = 0
    """Seconds for which a number must have been wanted: the most careful one in them is taken."""
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    """Policy that counts where several bound the rate; ``Disabled``: none come, or go, but the
    first comes all the same, and the last ones go after ``cooldownSeconds``."""
    policies: tuple[RatePolicy, ...] = ()
    """Bounds; without any, as many come or go as are wanted."""


class DownRate(Rate):
    """Rate at which replicas go: a minute's stabilization if nothing is set."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3_600)] = 60
    """Seconds of which the highest number that was wanted is kept."""


class Window(Group):
    """Hours in which a runtime has more replicas at least, such as a team's working hours.

    They hold from each start to the first end after it; at a moment of both they end.
    """

    start: Annotated[str, AfterValidator(_cron)]
    """Cron expression (minute, hour, day, month, weekday) of when the hours begin."""
    end: Annotated[str, AfterValidator(_cron)]
    """Cron expression of when they end, if they have begun."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    min_replicas: Annotated[int, Field(ge=0)]
    """Fewest replicas within these hours."""

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if _always_ends_at_start(self.start, self.end):
            raise ValueError("start comes only where end does: these hours hold never")
        return self


class Scaling(Group):
    """Scaling of a runtime's replicas: bounds, and how they follow the queue."""

    min_replicas: Annotated[int, Field(ge=0)] | None = None
    """Fewest replicas, 0 allowed. None: 0 on AWS, 1 on one machine."""
    max_replicas: Positive | None = None
    """Most replicas. None: as many as ``nodes.maxGpus`` allows on AWS; on one machine
    ``minReplicas``, 1 at least."""
    queue_length: Positive = 10
    """Tasks for each replica, where no ``targetLatencySeconds`` is set, or nothing is measured."""
    target_latency_seconds: Annotated[float, Field(gt=0)] | None = None
    """Seconds within which a backlog is to be done, at the fewest GPU-seconds; it decides in place
    of ``queueLength``."""
    cooldown_seconds: Annotated[float, Field(ge=0)] = 240
    """Seconds without any task before the last replicas go, all at once; less than 12 counts as
    12."""
    polling_seconds: Annotated[float, Field(ge=0.1, le=600)] = 1
    """Seconds between two looks at the length of the queue; a task that ingest has received counts
    at once."""
    scale_on_in_flight: bool = True
    """Count tasks that run as those that wait. False: they add no replica, and keep theirs."""
    scale_up: Rate = Rate()
    scale_down: DownRate = DownRate()
    schedule: tuple[Window, ...] = ()
    """Hours with more replicas at least; where several hold, the highest number."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        least, most = self.min_replicas, self.max_replicas
        if least is not None and most is not None and least > most:
            raise ValueError("minReplicas must not be more than maxReplicas")
        if most is not None and self.most_by_hours > most:
            raise ValueError("schedule[].minReplicas must not be more than maxReplicas")
        return self

    @property
    def most_by_hours(self) -> int:
        """Highest of the lower bounds that hours set; 0 without any."""
        return max((window.min_replicas for window in self.schedule), default=0)

    def bounded(self, least: int, most: int) -> "BoundedScaling":
        """Fill in both bounds: the fewest and the most replicas; hours change nothing at those."""
        given = dict(self) | {"min_replicas": least, "max_replicas": most}
        return BoundedScaling.model_construct(**given)


class BoundedScaling(Scaling):
    """Scaling of a runtime whose bounds are both known."""

    min_replicas: Annotated[int, Field(ge=0)]
    max_replicas: Positive
