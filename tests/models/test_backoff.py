"""Pauses between tries: they grow with each failure in a row, up to a bound."""

from models.backoff import Backoff


def test_the_pause_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first=0.5, longest=3)

    assert [backoff.pause(failures) for failures in range(6)] == [0, 0.5, 1, 2, 3, 3]


def test_the_pause_can_grow_more_slowly() -> None:
    backoff = Backoff(first=2, longest=100, factor=1.5)

    assert [backoff.pause(failures) for failures in (1, 2, 3)] == [2, 3, 4.5]


def test_however_many_failures_there_were_the_pause_is_the_longest() -> None:
    assert Backoff(first=0.1, longest=5).pause(1_000_000) == 5
