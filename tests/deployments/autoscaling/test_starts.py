"""Starts of replicas: how long they take, and when they are tried anew."""

import pytest

from deployments.autoscaling.starts import Retry, Starts


def test_nothing_is_known_before_the_first_start() -> None:
    starts = Starts()
    starts.note(2, 0, now=10)

    assert starts.seconds is None
    assert starts.longest(now=15) == 5


def test_the_first_that_runs_is_the_one_that_was_wanted_first() -> None:
    starts = Starts()
    starts.note(1, 0, now=0)
    starts.note(2, 0, now=60)
    starts.note(2, 1, now=100)
    assert starts.seconds == 100

    starts.note(2, 2, now=110)

    assert starts.seconds == pytest.approx(100 + 0.3 * (50 - 100))
    assert starts.longest(now=110) == 0


def test_a_start_that_is_no_longer_wanted_is_not_measured() -> None:
    starts = Starts()
    starts.note(2, 0, now=0)
    starts.note(1, 0, now=500)
    starts.note(1, 1, now=510)
    starts.note(0, 0, now=600)
    starts.note(1, 0, now=1_000)
    starts.note(1, 1, now=1_010)

    assert starts.seconds == pytest.approx(510 + 0.3 * (10 - 510))


def test_a_replica_that_broke_is_wanted_anew() -> None:
    starts = Starts()
    starts.note(1, 1, now=0)
    starts.note(1, 0, now=50)
    starts.note(1, 1, now=57)

    assert starts.seconds == 7


def test_replicas_that_ran_before_anybody_measured_are_no_starts() -> None:
    starts = Starts()
    starts.seconds = 180
    starts.note(3, 0, now=0)
    starts.skip(2)
    starts.note(3, 2, now=1)
    assert starts.seconds == 180

    starts.note(3, 3, now=80)

    assert starts.seconds == pytest.approx(180 + 0.3 * (80 - 180))


def test_no_start_is_skipped_for_a_replica_that_is_no_longer_wanted() -> None:
    starts = Starts()
    starts.note(2, 0, now=0)
    starts.skip(2)
    starts.note(0, 0, now=1)
    starts.note(1, 0, now=10)
    starts.note(1, 1, now=50)

    assert starts.seconds == 40


def test_starts_are_tried_anew_later_and_later_until_one_succeeds() -> None:
    retry = Retry()

    def pause(began: float) -> float:
        """Give up at a moment; return the seconds after which it is time to try anew."""
        later = next(n for n in range(2_000) if retry.is_now(given_up=True, now=began + n))
        assert retry.is_now(given_up=True, now=began + later + 5)
        assert not retry.is_now(given_up=False, now=began + later + 7)
        return later

    assert [pause(n * 10_000) for n in range(7)] == [30, 60, 120, 240, 480, 600, 600]
    retry.forgive()
    assert pause(100_000) == 30
