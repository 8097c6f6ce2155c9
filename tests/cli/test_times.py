"""Durations are said as people would say them."""

import math

import pytest

from cli.times import format_rough


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "5 s"),
        (3.4, "5 s"),
        (41, "45 s"),
        (89, "90 s"),
        (90, "2 min"),
        (200, "3 min"),
        (5_399, "90 min"),
        (7_100, "2 h"),
        (math.inf, "?"),
        (math.nan, "?"),
    ],
)
def test_an_estimate_is_no_more_exact_than_it_can_be(seconds: float, said: str) -> None:
    assert format_rough(seconds) == said
