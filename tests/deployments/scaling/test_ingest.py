"""Replicas of ingest follow what the fleet ends in a second: up at once, down when it is calm."""

import pytest

from deployments.scaling.ingest import TASKS_PER_SECOND, IngestScale, rate_of
from models.fleet import Demand


@pytest.mark.parametrize(
    ("rate", "wanted"), [(0, 1), (TASKS_PER_SECOND, 1), (TASKS_PER_SECOND + 1, 2), (10_000, 4)]
)
def test_there_is_one_for_each_share_of_the_tasks_within_the_bounds(
    rate: float, wanted: int
) -> None:
    assert IngestScale(least=1, most=4).wanted(1, rate, 0) == wanted


def test_the_fewest_are_there_without_tasks() -> None:
    assert IngestScale(least=3, most=4).wanted(1, 0, 0) == 3


def test_one_goes_only_after_five_calm_minutes() -> None:
    scale = IngestScale(least=1, most=4)

    told = [scale.wanted(4, TASKS_PER_SECOND, now) for now in range(0, 310, 10)]

    assert told == [4] * 30 + [1]


def test_as_many_stay_as_the_calm_minutes_needed_at_most() -> None:
    scale = IngestScale(least=1, most=4)
    for now in range(0, 300, 10):
        scale.wanted(4, TASKS_PER_SECOND * (3 if now == 150 else 1), now)

    assert scale.wanted(4, 0, 300) == 3


def test_a_peak_ends_the_calm() -> None:
    scale = IngestScale(least=1, most=2)
    scale.wanted(2, 0, 0)
    scale.wanted(2, 2 * TASKS_PER_SECOND, 200)
    scale.wanted(2, 0, 210)

    assert scale.wanted(2, 0, 400) == 2
    assert scale.wanted(2, 0, 511) == 1


@pytest.mark.parametrize(
    ("demand", "rate"),
    [
        (Demand(waiting=9, running=0, seconds=1.0), 0),
        (Demand(waiting=9, running=8, seconds=2.0), 4),
        (Demand(waiting=0, running=8), 0),
        (Demand(waiting=0, running=8, seconds=0.02), 400),
    ],
)
def test_the_rate_is_that_of_the_replicas_which_have_a_task(demand: Demand, rate: float) -> None:
    assert rate_of(demand) == rate
