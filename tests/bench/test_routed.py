"""Ingests that share simulated replicas, each with a router of its own, by the code that runs."""

from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from bench.routed.outcome import (
    Outcome,
    Routed,
    Setup,
    arrivals,
    backlog,
    mixed,
    parts,
)
from bench.routed.shared import SharedFleet
from bench.routed.simulated import simulated
from bench.simulation.router import Fifo
from bench.simulation.traces import Task
from deployments.routing.pending import MULTIPLE
from tests.bench.short import run
from tests.deployments.routing.replay import LOAD, Sent, in_turn

ZIPF = [1 / rank**1.1 for rank in range(1, 13)]


def first_come(tasks: list[Task], setup: Setup) -> Outcome:
    return simulated(tasks, setup, Fifo(Random(1)))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("ingests", [1, 3])
def test_a_backlog_needs_an_eighth_of_the_loads_and_a_third_of_the_time(
    ingests: int, seed: int
) -> None:
    setup = Setup(seed=seed)
    tasks = list(backlog(setup))
    ours, theirs = SharedFleet(tasks, setup, ingests).run(), first_come(tasks, setup)

    assert ours.loads <= theirs.loads / 8
    assert ours.rate >= 3 * theirs.rate
    assert ours.p99 <= theirs.p99 / 3


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_three_ingests_need_a_tenth_of_the_loads_though_each_word_takes_a_task_s_time(
    seed: int,
) -> None:
    """Loads are an eighth if no replica is kept between two tasks of a router."""
    setup = Setup(seed=seed)
    tasks = list(backlog(setup))
    ours = SharedFleet(tasks, setup, 3, latency=0.2).run()

    assert ours.loads <= first_come(tasks, setup).loads / 10


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("ingests", [1, 3])
def test_arrivals_need_less_than_half_of_the_loads_and_none_waits_much_longer(
    ingests: int, seed: int
) -> None:
    setup = Setup(seed=seed)
    tasks = list(arrivals(setup, 1))
    ours, theirs = SharedFleet(tasks, setup, ingests).run(), first_come(tasks, setup)

    assert ours.loads <= theirs.loads / 2.2
    assert ours.p99 <= 1.5 * theirs.p99


@pytest.mark.parametrize(("ingests", "most"), [(1, 1.0), (3, 1.5)])
def test_a_batch_and_live_tasks_meet_and_neither_waits_much_longer_than_in_turn(
    ingests: int, most: float
) -> None:
    setup = Setup()
    tasks = mixed(setup)
    fleet = SharedFleet(tasks, setup, ingests)
    ours = fleet.run()
    sent = [Sent(task.sent, (str(task.checkpoint),), task.seconds) for task in tasks]
    turns = in_turn(sent, setup.replicas)
    in_turns = parts(Routed(tasks, [turns.waits[each] for each in sent], turns.loads, 1))

    assert ours.loads <= turns.loads / 2
    for part, each in parts(fleet.routed).items():
        assert each.p99 <= most * in_turns[part].p99
        assert each.p50 <= in_turns[part].p50


@st.composite
def traces(draw: st.DrawFn) -> list[Task]:
    """Draw tasks of a few checkpoints, of which some may need tasks of 5 s, at any rate."""
    random = Random(draw(st.integers(0, 10**6)))
    names = range(draw(st.integers(1, 10)))
    seconds = [random.choice([0.3, 0.3, 5.0]) for _ in names]
    rate = draw(st.sampled_from([0.2, 0.5, 1.0, 2.0, 5.0, 1e9]))
    at, tasks = 0.0, []
    for _ in range(draw(st.integers(1, 80))):
        at += random.expovariate(rate)
        name = random.choices(names, ZIPF[: len(names)])[0]
        tasks.append(Task(at, seconds[name], name))
    return tasks


@settings(max_examples=40)
@given(
    traces(),
    st.integers(1, 5),
    st.sampled_from([1, 4]),
    st.integers(1, 3),
    st.sampled_from([0.005, 0.2]),
)
def test_no_task_waits_longer_than_a_multiple_of_its_wait_in_turn_whoever_sends_it(
    tasks: list[Task], replicas: int, admit: int, ingests: int, latency: float
) -> None:
    """Beyond that it waits for what replicas were given before, by each of the ingests.

    Of 4,000 such fleets the worst wait of one ingest was beyond its multiple by two tasks with
    their loads more than are admitted, and of several by eight of each: an end is told late, and
    each imagines its share of the fleet's time, which the others use otherwise.
    """
    multiple, more = (MULTIPLE, 3) if ingests == 1 else (2 * MULTIPLE, 8)
    fleet = SharedFleet(tasks, Setup(replicas=replicas, admit=admit), ingests, latency)
    for ingest, task in product(fleet.ingests, tasks):
        ingest.durations.ended((str(task.checkpoint),), task.seconds, LOAD)
    fleet.run()
    sent = [Sent(task.sent, (str(task.checkpoint),), task.seconds) for task in tasks]
    turns = in_turn(sent, replicas).waits
    given_before = ingests * (admit + more) * (max(task.seconds for task in tasks) + LOAD)

    assert len(fleet.waits) == len(tasks)
    for number, each in enumerate(sent):
        assert fleet.waits[number] <= multiple * max(turns[each], LOAD) + given_before


def test_what_routing_costs_is_kept_for_each_fleet(tmp_path: Path) -> None:
    rows = run(tmp_path, "router_cpu", "--replicas", "2", "--replicas", "3", "--tasks", "1")["rows"]

    assert {(row["replicas"], row["checkpoints"], row["ingests"]) for row in rows} == {
        (replicas, checkpoints, ingests)
        for replicas in (2, 3)
        for checkpoints in (12, 60)
        for ingests in (1, 3)
    }
    assert all(row["CPU a task, ms"] > 0 for row in rows)
    assert all(0 < row["loads a task"] <= 1 for row in rows)
