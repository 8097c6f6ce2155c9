"""Simulated fleet: no task is lost or done twice, bounds hold, and a seed gives one outcome."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench.simulation.fleet import Ledger
from bench.simulation.policies import Keda, Ours, Policy
from bench.simulation.router import Fifo
from bench.simulation.run import Simulation
from bench.simulation.traces import TRACES, Task, Tasks
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


def followed(tasks: Tasks, policy: Policy, world: World = EXACT, seed: int = 1) -> Ledger:
    chance = Random(seed)
    return Simulation(tasks, policy, Fifo(chance), world, chance).run()


@pytest.mark.parametrize("policy", [ours, lambda: Keda(20)], ids=["ours", "KEDA"])
@pytest.mark.parametrize("interruptions", [0, 6])
@pytest.mark.parametrize("name", ["mix", "sparse"])
def test_every_task_ends_once_and_all_time_is_accounted_for(
    name: str, interruptions: float, policy: Any
) -> None:
    tasks = TRACES[name].make(Random(1))
    ledger = followed(tasks, policy(), World(interruptions=interruptions))

    assert len(ledger.latencies) == len(tasks)
    assert ledger.work == pytest.approx(sum(task.seconds for task in tasks))
    assert bool(ledger.interruptions) == bool(interruptions)
    assert ledger.idle > 0
    assert ledger.at_once <= 20


def test_the_same_seed_gives_the_same_outcome_and_another_one_another() -> None:
    first, again, other = (
        followed(TRACES["mix"].make(Random(1)), ours(), World(), seed) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_one_task_pays_for_a_start_a_load_the_cooldown_and_the_nodes_end() -> None:
    """A second until it is seen, 130 of start, 8 of loading, 2 of work; then 240 and 90 idle."""
    ledger = followed([Task(0, 2)], ours())

    assert ledger.latencies == [141]
    assert ledger.nodes == pytest.approx(130 + 8 + 2 + 240 + 90, abs=1)
    assert (ledger.replicas, ledger.loads) == (1, 1)


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
    tasks = [Task(at * 600, 300) for at in range(100)]
    ledger = followed(tasks, ours(), World(interruptions=3))

    assert 0 < ledger.cuts < ledger.interruptions
    assert ledger.lost <= ledger.cuts * (300 + 8)


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
    options = ("--trace", "sparse", "--seed", "1", "--world", "load_seconds=20")
    command = [sys.executable, "-m", "bench.simulate", *options, "--json", str(kept)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    runs = Simulated.model_validate_json(kept.read_text()).runs
    parameters = json.loads(kept.read_text())["parameters"]

    assert done.returncode == 0, done.stderr
    assert [run.policy for run in runs] == ["queueLength 10", "60 s", "300 s", "KEDA"]
    assert parameters["world"]["load_seconds"] == 20
    assert "sparse" in done.stdout
