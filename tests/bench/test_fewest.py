"""Bound of the loads that any router needs: no router of ours is below it, and it is reached."""

from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from bench.routed.fewest import fewest_loads
from bench.routed.outcome import Outcome, Setup, beyond_p99
from bench.routed.shared import SharedFleet
from bench.simulation.traces import Task


def alternating(count: int) -> list[Task]:
    return [Task(10.0 * number, 0.3, number % 2) for number in range(count)]


@pytest.mark.parametrize(
    ("most_p99", "replicas", "loads"),
    [(5.0, 1, 6), (25.0, 1, 3), (60.0, 1, 2), (5.0, 2, 2)],
)
def test_what_a_few_tasks_need_is_known(most_p99: float, replicas: int, loads: int) -> None:
    """Six tasks ask for two checkpoints in turns, one each ten seconds."""
    assert fewest_loads(alternating(6), Setup(replicas=replicas), most_p99) == loads


def test_a_replica_has_nothing_while_it_loads() -> None:
    """Else it would have the second's just as it comes, and the first's until the third comes."""
    tasks = [Task(6, 0.3), Task(9, 0.3, 1), Task(13, 0.3)]

    assert fewest_loads(tasks, Setup(replicas=1), 4) == 3


@pytest.mark.parametrize(("hot", "loads"), [(98, 3), (99, 2)])
def test_beyond_the_p99_a_task_may_wait_and_needs_its_load_all_the_same(
    hot: int, loads: int
) -> None:
    """A task comes between those of a hot checkpoint; of 101 it may be late, of 100 not."""
    tasks = [Task(0, 0.3)] * hot + [Task(20, 0.3, 1), Task(30, 0.3)]

    assert fewest_loads(tasks, Setup(replicas=1), 5) == loads


def test_as_many_wait_longer_than_the_p99_as_the_bound_lets_wait() -> None:
    for number in (1, 2, 99, 100, 101, 150, 400, 1000):
        waits = [float(each) for each in range(number)]
        p99 = Outcome.of(waits, 0, 1).p99

        assert sum(wait > p99 for wait in waits) == beyond_p99(number)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.sampled_from([1, 3]),
    st.sampled_from([(0.3, 3.0), (1.0, 3.0), (5.0, 0.2)]),
)
def test_no_router_of_ours_needs_fewer_loads(
    seed: int, replicas: int, ingests: int, speed: tuple[float, float]
) -> None:
    rate, load_seconds = speed
    random = Random(seed)
    at, tasks = 0.0, []
    for _ in range(random.randint(1, 15)):
        at += random.expovariate(rate)
        tasks.append(Task(at, 0.03, random.choice([0, 0, 0, 1, 1, 2, 3])))
    setup = Setup(replicas=replicas, load_seconds=load_seconds)
    ours = SharedFleet(tasks, setup, ingests).run()

    assert fewest_loads(tasks, setup, ours.p99 + 0.01, 10) <= ours.loads
