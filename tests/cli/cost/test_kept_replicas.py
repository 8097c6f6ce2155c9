"""Shares of time for which replicas are kept, held to what the policy keeps at each moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.cost.kept_replicas import shares_of_time
from deployments.scaling.bounds import Bounds
from models.settings.scaling import BoundedScaling, Scaling

_TEAM = {"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "timezone": "Europe/Berlin"}
_LATE = {"start": "0 17 * * *", "end": "0 2 * * *", "timezone": "America/New_York"}
_MONTH = {"start": "0 0 28 * *", "end": "0 0 3 * *"}
_AGAIN = {"start": "0 8,12 * * *", "end": "0 12,18 * * *"}
_FIVE_DAYS = {"start": "0 8 * * 1-5", "end": "0 18 * * *"}
_TWICE = {"start": "0 8,12 * * *", "end": "0 18 * * 1-5", "timezone": "Europe/Berlin"}
_LEAP_DAY = {"start": "0 0 29 2 *", "end": "0 0 1 3 *"}


def scaling(*windows: tuple[dict[str, str], int], least: int = 0, most: int = 9) -> BoundedScaling:
    schedule: list[Any] = [window | {"minReplicas": number} for window, number in windows]
    return Scaling.model_validate({"schedule": schedule}).bounded(least, most)


@pytest.mark.parametrize(
    "rules",
    [
        scaling((_TEAM, 2)),
        scaling((_LATE, 2), (_TEAM, 3), least=1),
        scaling((_MONTH, 4), (_LATE, 2), most=3),
        scaling((_AGAIN, 2)),
        scaling((_FIVE_DAYS, 2)),
        scaling((_TWICE, 2), (_LEAP_DAY, 3)),
    ],
)
def test_each_number_is_kept_for_as_long_as_the_policy_keeps_it(rules: BoundedScaling) -> None:
    since, step = datetime(2026, 1, 1, 0, 7, tzinfo=UTC), timedelta(hours=1)
    moments = [since + number * step for number in range(365 * 24)]
    kept = [Bounds.at(moment, rules).least for moment in moments]
    found = shares_of_time(rules)

    assert {number: float(share) for number, share in found.items()} == pytest.approx(
        {number: kept.count(number) / len(kept) for number in set(kept)}, abs=1e-9
    )


def test_hours_end_each_evening_although_they_do_not_begin_each_morning() -> None:
    shares = shares_of_time(scaling((_FIVE_DAYS, 1)))

    assert float(shares[1]) == 261 * 10 / (365 * 24)


def test_without_a_schedule_the_fewest_are_kept_at_any_time() -> None:
    assert shares_of_time(scaling(least=2)) == {2: 1}
