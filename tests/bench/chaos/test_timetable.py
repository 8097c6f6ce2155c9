"""A seed draws the same mishaps and the same tasks again, and all kinds of them."""

from itertools import pairwise

import pytest

from bench.chaos.plan import FAR, Fate, Way, plans
from bench.chaos.scenarios import SCENARIOS
from bench.chaos.timetable import Mishap, timetable

EVERYTHING = SCENARIOS["everything"]


def test_a_seed_draws_the_same_again() -> None:
    drawn = [timetable(EVERYTHING.mishaps, 1_000, 50, seed) for seed in (1, 1, 2)]
    planned = [list(plans(50, EVERYTHING, seed, far=True)) for seed in (1, 1, 2)]

    assert drawn[0] == drawn[1] != drawn[2]
    assert planned[0] == planned[1] != planned[2]


def test_all_kinds_come_up_before_one_does_again() -> None:
    due = timetable(EVERYTHING.mishaps, 10_000, 50, 1)
    kinds = len(EVERYTHING.mishaps)

    assert {each.mishap for each in due[:kinds]} == set(Mishap)
    assert all(later.after - earlier.after == 50 for earlier, later in pairwise(due))


def test_a_calm_run_has_none() -> None:
    assert timetable(SCENARIOS["calm"].mishaps, 1_000, 50, 1) == ()


@pytest.mark.parametrize("mishap", list(Mishap))
def test_each_mishap_is_a_scenario_of_its_own(mishap: Mishap) -> None:
    due = timetable(SCENARIOS[mishap.value].mishaps, 1_000, 50, 1)

    assert {each.mishap for each in due} == {mishap}


def test_everything_has_tasks_of_all_kinds() -> None:
    drawn = list(plans(2_000, EVERYTHING, 1, far=True))

    assert {plan.way for plan in drawn} == set(Way)
    assert {plan.fate for plan in drawn} == set(Fate)
    assert any(plan.copies > 1 for plan in drawn)
    assert any(plan.callback for plan in drawn)
    assert any(plan.runtime == FAR for plan in drawn)
    assert len({plan.id for plan in drawn}) == len(drawn)
