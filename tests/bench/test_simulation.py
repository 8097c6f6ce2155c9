"""Simulated fleet: no task is lost or done twice, bounds hold, and a seed gives one outcome."""

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.simulation.fleet import Ledger
from bench.simulation.policies import Keda, Ours, Policy
from bench.simulation.router import Affinity, Fifo, Router
from bench.simulation.run import Simulation
from bench.simulation.traces import HOUR, TRACES, Task, Tasks
from bench.simulation.world import World
from cli.cost.simulated import Simulated
from deployments.scaling import Observed
from models.fleet import Demand
from models.settings.scaling import BoundedScaling
from tests.bench.short import ROOT

EXACT = World(jitter=0, interruptions=0)
"""World without chance: a replica runs 130 s after it is wanted, and loads within 8 s."""


def ours(**given: Any) -> Ours:
    rules = BoundedScaling.model_validate(
        {"minReplicas": 0, "maxReplicas": 20, "cooldownSeconds": 240} | given
    )
    return Ours(rules, tail_seconds=90, drain_seconds=75)


def followed(
    tasks: Tasks,
    policy: Policy,
    world: World = EXACT,
    seed: int = 1,
    *,
    end: float = 0,
    router: Router | None = None,
) -> Ledger:
    chance = Random(seed)
    # An empty router is false.
    chosen = Fifo(chance) if router is None else router
    return Simulation(tasks, policy, chosen, world, chance, end=end).run()


class FirstNodeEnds(Random):
    """Chance by which the first node has its notice at an age, and no later one."""

    def __init__(self, age: float) -> None:
        super().__init__(1)
        self._ages = [age]

    def expovariate(self, lambd: float = 1) -> float:
        del lambd
        return self._ages.pop() if self._ages else math.inf


def interrupted(tasks: Tasks, policy: Policy, age: float) -> Ledger:
    """Follow the tasks with a notice for the first node, when it is so many seconds old."""
    chance = FirstNodeEnds(age)
    world = World(jitter=0, spot_share=1, interruptions=1)
    return Simulation(tasks, policy, Fifo(chance), world, chance).run()


@dataclass
class Planned(Ours):
    """Policy that wants what is planned: a number from a second on."""

    plan: Sequence[tuple[float, int]] = ()

    def wanted(self, demand: Demand, supply: Observed, now: float) -> int:
        del demand, supply
        return [number for since, number in self.plan if since <= now][-1]


@pytest.mark.parametrize("routed", [None, Affinity], ids=["first come", "affinity"])
@pytest.mark.parametrize("policy", [ours, lambda: Keda(20)], ids=["ours", "KEDA"])
@pytest.mark.parametrize("interruptions", [0, 6])
@pytest.mark.parametrize("name", ["mix", "sparse"])
def test_every_task_ends_once_however_nodes_are_interrupted(
    name: str, interruptions: float, policy: Any, routed: Any
) -> None:
    whole, router = TRACES[name].make(Random(1)), routed and routed()
    tasks = whole[: len(whole) // 3]
    ledger = followed(tasks, policy(), World(interruptions=interruptions), router=router)

    assert len(ledger.latencies) == len(tasks)
    assert ledger.work == pytest.approx(sum(task.seconds for task in tasks))
    assert bool(ledger.interruptions) == bool(interruptions)
    assert ledger.at_once <= 20


def test_the_same_seed_gives_the_same_outcome_and_another_one_another() -> None:
    tasks = TRACES["mix"].make(Random(1))[:300]
    first, again, other = (followed(tasks, ours(), World(), seed) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_one_task_pays_for_a_start_a_load_the_cooldown_and_the_nodes_end() -> None:
    """A second until it is seen, 130 of start, 8 of loading, 2 of work; then 240 and 90 idle."""
    ledger = followed([Task(0, 2)], ours())

    assert ledger.latencies == [141]
    assert (ledger.starting, ledger.loading, ledger.work) == (130, 8, 2)
    assert ledger.idle == pytest.approx(240 + 90, abs=1)
    assert (ledger.replicas, ledger.loads) == (1, 1)


def test_all_time_of_nodes_is_accounted_for() -> None:
    """Two nodes have replicas from 131 on; one does 10 s and goes at 260, one 28 s and at 258."""
    plan = [(0, 2), (160, 1), (170, 0)]
    policy = Planned(ours().rules, tail_seconds=90, drain_seconds=75, plan=plan)
    ledger = followed([Task(0, 2), Task(140, 20, 1)], policy)

    assert ledger.latencies == [141, 28]
    assert (ledger.starting, ledger.loading, ledger.work) == (2 * 130, 2 * 8, 2 + 20)
    assert ledger.idle == (260 - 131 - 10) + (258 - 131 - 28)


@pytest.mark.parametrize(
    ("length", "window", "an_hour", "given_up"),
    [(2, 60, 25, 0.45), (2, 300, 11, 0.05), (10, 60, 12, 0.35), (10, 300, 9, 0.05)],
)
def test_tasks_by_chance_start_so_many_replicas_and_a_longer_window_gives_up_fewer(
    length: int, window: int, an_hour: int, given_up: float
) -> None:
    """Four hours of 0.95 replicas' work, which comes by chance; each that runs loads once."""
    chance = Random(1)
    sent = accumulate(chance.expovariate(0.95 / 1.5) for _ in range(9_000))
    rules = {"queueLength": length, "scaleDown": {"stabilizationWindowSeconds": window}}
    ledger = followed([Task(at, 1.5) for at in sent], ours(**rules))

    assert ledger.replicas / 4 <= an_hour
    assert (ledger.replicas - ledger.loads) / ledger.replicas <= given_up


def test_policy_and_router_need_at_most_three_fifths_of_the_references_gpu_hours() -> None:
    """A day with a burst and 12 checkpoints; the reference is KEDA, the first task to any replica.

    No share of the tasks waits longer.
    """
    tasks = TRACES["whole"].make(Random(1))
    ledger = followed(tasks, ours(), World(), end=24 * HOUR, router=Affinity())
    reference = followed(tasks, Keda(20), World(), end=24 * HOUR)

    assert ledger.nodes <= 0.6 * reference.nodes
    assert ledger.loads < reference.loads / 3
    latencies, theirs = sorted(ledger.latencies), sorted(reference.latencies)
    for share in (0.5, 0.95, 0.99):
        assert latencies[int(share * len(tasks))] <= theirs[int(share * len(tasks))]


def test_tasks_at_constant_intervals_never_make_the_fleet_flap() -> None:
    """Four hours of 2.4 replicas' work: none is started in the place of one that has gone."""
    tasks = [Task(at * 1.25, 3) for at in range(int(4 * 3600 / 1.25))]
    for rule in ({"queueLength": 10}, {"targetLatencySeconds": 60}):
        ledger = followed(tasks, ours(**rule))
        assert ledger.replicas == ledger.at_once


def test_a_latency_that_can_be_kept_is_kept_when_the_fleet_is_warm() -> None:
    tasks = [Task(at, 4) for at in range(4 * 3600)]
    latencies = followed(tasks, ours(targetLatencySeconds=60)).latencies[3600:]

    assert max(latencies) < 60


def test_an_interrupted_node_ends_its_picture_or_hands_it_back_within_the_drain() -> None:
    tasks = [Task(at * 600, 300) for at in range(40)]
    ledger = followed(tasks, ours(), World(interruptions=3))

    assert 0 < ledger.cuts < ledger.interruptions


def test_a_run_on_an_interrupted_node_is_cut_when_the_drain_is_over() -> None:
    """A run begins at 131, its node has notice at 201, and 75 s later another node takes it."""
    ledger = interrupted([Task(0, 300)], ours(), age=200)

    assert (ledger.cuts, ledger.lost) == (1, 201 + 75 - 131)
    assert ledger.latencies == [201 + 130 + 308]
    assert ledger.idle == pytest.approx(240 + 90, abs=1)


def test_a_run_of_a_replica_that_leaves_is_cut_with_its_node() -> None:
    """Scale-in at 150 lets the run go on; it is the notice at 201 that gives it 75 s."""
    plan = [(0, 1), (150, 0), (300, 1), (900, 0)]
    policy = Planned(ours().rules, tail_seconds=90, drain_seconds=75, plan=plan)
    ledger = interrupted([Task(0, 300)], policy, age=200)

    assert (ledger.cuts, ledger.lost) == (1, 201 + 75 - 131)
    assert ledger.latencies == [300 + 130 + 308]


def test_replicas_that_are_kept_are_paid_until_the_end_of_the_trace() -> None:
    ledger = followed([Task(0, 2)], ours(minReplicas=1), end=HOUR)

    assert (ledger.replicas, ledger.nodes) == (1, 3600 - 1)
    assert followed([Task(0, 2)], ours(minReplicas=1)).nodes == 130 + 10


def test_a_node_that_never_goes_is_paid_until_the_end_of_the_trace() -> None:
    ledger = followed([Task(0, 2)], replace(ours(), tail_seconds=math.inf), end=HOUR)

    assert ledger.nodes == 3600 - 1


def test_a_schedule_has_its_replicas_there_before_the_first_task() -> None:
    night = {"start": "30 0 * * *", "end": "0 2 * * *", "minReplicas": 1}
    ledger = followed([Task(HOUR, 2)], ours(schedule=[night]), end=3 * HOUR)

    assert ledger.latencies == [10]
    assert ledger.nodes == pytest.approx(1.5 * HOUR + 90, abs=1)


def test_the_reference_cuts_long_runs_off_at_scale_in_and_ours_does_not() -> None:
    tasks = [*(Task(0, 1) for _ in range(40)), *(Task(300, 1800) for _ in range(3))]

    assert followed(tasks, Keda(20)).cuts > 0
    assert followed(tasks, ours()).cuts == 0


@pytest.mark.parametrize(
    ("messages", "target", "wanted"),
    [(0, 0, 0), (1, 0, 1), (400, 0, 1), (21, 1, 3), (21, 2, 2), (400, 1, 5), (400, 4, 8)],
)
def test_keda_wakes_one_replica_and_the_autoscaler_adds_as_it_may(
    messages: int, target: int, wanted: int
) -> None:
    """Differences of a tenth change nothing; four more, or twice as many, come in 15 s at most."""
    demand = Demand(waiting=messages, running=0)

    assert Keda(20).wanted(demand, Observed(target=target), 0) == wanted


def test_keda_keeps_the_highest_number_of_five_minutes_and_goes_after_its_cooldown() -> None:
    keda, target = Keda(20), 4
    seen: list[tuple[int, int]] = []
    for now in range(900):
        messages = 40 if now < 10 else 5 if now < 400 else 0
        target = keda.wanted(Demand(waiting=messages, running=0), Observed(target=target), now)
        if not seen or seen[-1][1] != target:
            seen.append((now, target))

    assert seen == [(0, 4), (300, 1), (699, 0)]


def test_a_short_run_prints_a_table_and_keeps_what_the_estimate_of_costs_reads(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "runs.json"
    options = ("--trace", "burst", "--seed", "1", "--world", "load_seconds=20")
    command = [sys.executable, "-m", "bench.simulate", *options, "--json", str(kept)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    runs = Simulated.model_validate_json(kept.read_text()).runs
    parameters = json.loads(kept.read_text())["parameters"]

    assert done.returncode == 0, done.stderr
    assert [run.policy for run in runs] == ["queueLength 10", "60 s", "300 s", "KEDA"]
    assert parameters["world"]["load_seconds"] == 20
    assert "burst" in done.stdout
