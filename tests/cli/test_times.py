"""Durations are said as people would say them."""

import math

import pytest

from atelier import Misused
from cli.times import format_rough, parse_coming, parse_span


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


@pytest.mark.parametrize(("said", "seconds"), [("90", 90), ("1.5", 1.5), ("90s", 90), ("2h", 7200)])
def test_a_span_is_read(said: str, seconds: float) -> None:
    assert parse_span(said) == seconds


@pytest.mark.parametrize(
    ("said", "moment"),
    [(None, None), ("5m", 1300), ("1970-01-01T01:00:00Z", 3600)],
)
def test_a_moment_to_come_is_read(said: str | None, moment: float | None) -> None:
    assert parse_coming(said, 1000) == moment


def test_what_is_no_span_is_explained() -> None:
    with pytest.raises(Misused, match="must be a number of seconds"):
        parse_span("soon")
