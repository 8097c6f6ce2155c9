"""Hours of a schedule in which a runtime has more replicas at least."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from models.settings.scaling import Window

_NEVER = datetime.max.replace(tzinfo=UTC)


def least_by_hours(windows: Iterable[Window], wall: datetime) -> int:
    """Return the highest least number of the windows that hold at a moment; 0 if none does."""
    # Cron knows minutes: what holds at the start of one holds in all of it.
    minute = wall.replace(second=0, microsecond=0)
    return max((window.min_replicas for window in windows if _holds(window, minute)), default=0)


@lru_cache(maxsize=256)
def _holds(window: Window, minute: datetime) -> bool:
    """Tell whether a window's next end comes before its next start."""
    there = minute.astimezone(ZoneInfo(window.timezone))
    return next(CronSim(window.end, there), _NEVER) < next(CronSim(window.start, there), _NEVER)
