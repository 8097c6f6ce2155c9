"""Predict a measured fleet by the simulation, and print both: after `make bench-scale`.

Only what a simulation takes as given comes from the measurement: how soon the queue was seen, how
long a replica took to run, how long a node stayed after its last one. The policy, and so who starts
and goes when, is the simulation's own.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.report import OUT
from bench.scale import fleet_settings
from bench.scaling.scenarios import Setup
from bench.simulation.policies import Ours
from bench.simulation.router import Fifo
from bench.simulation.run import Simulation
from bench.simulation.traces import Task
from bench.simulation.world import World

SCENARIO = "from zero"
"""Scenario that nothing interrupts."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Figures of a burst."""

    held: float
    """GPU-seconds of nodes, from launch to end."""
    latency_p50: float


def predicted(setup: Setup, measured: dict[str, Any]) -> Prediction:
    """Follow the scenario's burst through a simulated fleet."""
    seen = measured["target_set"]
    settings = fleet_settings(setup, Path("gpu.log"))
    policy = replace(
        Ours.of(settings, settings.models_runtime[0]),
        look_seconds=seen,
        tail_seconds=measured["nodes_gone"] - measured["replicas_gone"],
    )
    world = World(
        boot_seconds=measured["running"] - measured["node_launched"],
        pull_seconds=0,
        start_seconds=0,
        jitter=0,
        load_seconds=setup.load_seconds,
        interruptions=0,
    )
    # Until its node is launched a replica costs nothing, and all come so much later.
    waited = measured["node_launched"] - seen
    tasks = [Task(0, setup.gpu_seconds)] * setup.tasks
    chance = Random(1)
    ledger = Simulation(tasks, policy, Fifo(chance), world, chance).run()
    return Prediction(held=ledger.nodes, latency_p50=median(ledger.latencies) + waited)


def main(
    kept: Annotated[Path, typer.Argument(help="what bench.scale has kept")] = OUT / "scale.json",
) -> None:
    """Print what was measured and what the simulation makes of the same burst."""
    document = json.loads(kept.read_text())
    measured = document["figures"][SCENARIO]
    prediction = predicted(Setup(**document["setup"]), measured)
    table = Table("", "measured", "simulated", "ratio", title=f"{SCENARIO}, in {kept}")
    for name, simulated in vars(prediction).items():
        was = measured[name]
        table.add_row(name, f"{was:.1f} s", f"{simulated:.1f} s", f"{simulated / was:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
