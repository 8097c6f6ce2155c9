"""Candidates: kept up to date from choice to choice, at the cost of what is different alone."""

import sys
from collections.abc import Callable
from random import Random
from types import FrameType

import pytest
from hypothesis import given, strategies as st

from deployments.routing import Candidate, Need, PendingTasks
from deployments.routing.candidates import Candidates

FILES = "abcd"


def calls_of(function: Callable[[], object]) -> int:
    """Count the calls of Python and of C within one call."""
    count = 0

    def note(frame: FrameType, event: str, value: object) -> None:
        del frame, value
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def fleet(replicas: int, runs: Callable[[int], int]) -> PendingTasks[int]:
    """Make a fleet that has a dozen checkpoints, for two dozen of which tasks wait."""
    pending: PendingTasks[int] = PendingTasks()
    pending.resize(replicas, 0.0)
    for number in range(replicas):
        files = frozenset([str(number % 12)])
        pending.candidates.place(Candidate(files, runs(number), 2, f"{number}"))
    for number in range(replicas):
        pending.add(number, Need((str(number % 24),), 0.3, 3.0), 0.0)
    return pending


@pytest.mark.parametrize("now", [0.0, 100.0], ids=["none is due", "all are due"])
@pytest.mark.parametrize("runs", [2, 1, 0], ids=["full", "busy", "idle"])
def test_a_choice_costs_as_much_in_a_fleet_of_a_hundred_times_the_size(
    now: float, runs: int
) -> None:
    counts = []
    for replicas in (24, 2400):
        pending = fleet(replicas, lambda number: max(runs, number % 12 % 3))
        pending.choose(now)
        counts.append(calls_of(lambda pending=pending: pending.choose(now)))  # type: ignore[misc]

    small, large = counts
    assert large <= 1.5 * small


@given(st.integers(0, 10**6), st.sets(st.sampled_from(FILES)).map(sorted).map(tuple))
def test_those_that_changed_are_found_as_if_all_had_come_anew(
    seed: int, files: tuple[str, ...]
) -> None:
    random, kept = Random(seed), Candidates()
    last: dict[str, Candidate] = {}
    asked = []
    for _ in range(40):
        name = random.choice("pqrst")
        if random.random() < 0.2:
            kept.remove(name)
            last.pop(name, None)
            continue
        holds = frozenset(random.sample(FILES, random.randint(0, 3)))
        last[name] = Candidate(holds, random.randint(0, 3), random.randint(1, 3), name)
        kept.place(last[name])
        asked.append(tuple(random.sample(FILES, 2)))
        kept.ask(asked[-1])
        kept.warm(files)
    anew = Candidates()
    for each in asked:
        anew.ask(each)
    for candidate in last.values():
        anew.place(candidate)

    assert kept.begin() == anew.begin() == any(not each.is_full for each in last.values())
    assert kept.holders(files) == sum(each.holds.issuperset(files) for each in last.values())
    assert kept.warm(files) == anew.warm(files)
    assert kept.idle(files) == anew.idle(files)
    assert kept.for_due(files, is_late=True) == anew.for_due(files, is_late=True)
