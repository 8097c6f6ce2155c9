"""Replicas that settings keep without any task, by the time for which they do."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim

from models.settings.scaling import BoundedScaling, Window

# Months have weekdays of their own, and cron knows months: a year has all of them.
_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_UNTIL = datetime(2027, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def shares_of_time(scaling: BoundedScaling) -> Mapping[int, Decimal]:
    """Return the share of a year, 0 to 1, for which each number of replicas is the fewest.

    Where hours of the schedule hold, that is the highest of theirs and ``minReplicas``.
    """
    changes = sorted(
        (moment, by, window.min_replicas)
        for window in scaling.schedule
        for since, until in _held(window)
        for moment, by in ((since, 1), (until, -1))
    )
    holding: Counter[int] = Counter({scaling.min_replicas: 1})
    shares: defaultdict[int, Decimal] = defaultdict(Decimal)
    last = _SINCE
    for moment, by, replicas in [*changes, (_UNTIL, 0, 0)]:
        if moment > last:
            least = min(max((+holding).keys()), scaling.max_replicas)
            shares[least] += Decimal((moment - last) / _MINUTE)
        holding[replicas] += by
        last = moment
    return {least: minutes / sum(shares.values()) for least, minutes in shares.items()}


def _held(window: Window) -> Iterator[tuple[datetime, datetime]]:
    """Walk the times of the year in which hours hold: from a start that is no end, as scaled."""
    zone = ZoneInfo(window.timezone)
    starts, ends = _moments(window.start, zone), _moments(window.end, zone)
    for since, until in pairwise(sorted({_UNTIL} | starts | ends)):
        if since not in ends and until > _SINCE:
            yield max(since, _SINCE), until


def _moments(expression: str, zone: ZoneInfo) -> set[datetime]:
    """Return when an expression comes in the year, and for the last time before it."""
    since = _SINCE.astimezone(zone)
    found = {
        moment.astimezone(UTC) for moment in islice(CronSim(expression, since, reverse=True), 1)
    }
    for moment in CronSim(expression, since - _MINUTE):
        if moment >= _UNTIL:
            break
        found.add(moment.astimezone(UTC))
    return found
