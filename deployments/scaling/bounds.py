"""Bounds of the number of replicas at a moment: those of the rules, and a schedule's hours."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim

from deployments.scaling.rules import Choice
from models.fleet import LIMIT_REACHED
from models.settings.scaling import Scaling, Window

_NEVER = datetime.min.replace(tzinfo=UTC)
_SET_BACK = timedelta(hours=3)
"""More than clocks are ever set back by."""


@dataclass(frozen=True)
class Bounds:
    """Fewest and most replicas."""

    least: int
    most: int
    setting: str
    """Setting that the fewest come from."""

    @classmethod
    def at(cls, wall: datetime, rules: Scaling) -> Self:
        """Return the bounds at a moment; the highest number of the hours that hold counts."""
        least, scheduled = rules.min_replicas or 0, _scheduled(rules, wall)
        most = max(least, 1) if rules.max_replicas is None else rules.max_replicas
        setting = "schedule" if scheduled > least else "minReplicas"
        return cls(min(max(least, scheduled), most), most, setting)

    def kept(self, choice: Choice) -> Choice:
        """Return the nearest number within the bounds, and say which one changes it."""
        if choice.replicas > self.most:
            why = f"{choice.reason}, {LIMIT_REACHED}: maxReplicas {self.most}"
            return Choice(self.most, why)
        if choice.replicas < self.least:
            return Choice(self.least, f"{choice.reason}, at least {self.least} by {self.setting}")
        return choice


def _scheduled(rules: Scaling, wall: datetime) -> int:
    # Cron knows minutes: what holds at the start of one holds in all of it.
    minute = wall.replace(second=0, microsecond=0)
    held = (window.min_replicas for window in rules.schedule if _holds(window, minute))
    return max(held, default=0)


@lru_cache(maxsize=256)
def _holds(window: Window, minute: datetime) -> bool:
    """Tell whether a window's last start is later than its last end; this minute counts."""
    zone = ZoneInfo(window.timezone)
    return _last(window.start, minute, zone) > _last(window.end, minute, zone)


def _last(expression: str, minute: datetime, zone: ZoneInfo) -> datetime:
    """Return when a cron expression came last, in UTC: moments of one zone compare by its clock."""
    # From later on: in the hour that comes twice, a later time of the clock has been once already.
    moments = CronSim(expression, (minute + _SET_BACK).astimezone(zone), reverse=True)
    found = (moment.astimezone(UTC) for moment in moments)
    return next((moment for moment in found if moment <= minute), _NEVER)
