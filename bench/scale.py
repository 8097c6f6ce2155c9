"""Measure a fleet that follows its queue, from zero nodes and back: `make bench-scale`.

Ray's own autoscaler starts and ends the nodes; they alone are fake, processes of this machine, and
the GPU on them is simulated. The worker groups are those of the objects that the stack applies.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from bench.fake_cluster.platform import read_settings, running_fleet
from bench.report import OUT, Amount, Count, Duration, Out, report
from bench.scaling.chart import draw
from bench.scaling.figures import Figures, figures
from bench.scaling.observer import Observer
from bench.scaling.scenarios import SCENARIOS, Outcome, Scenario, Setup, played
from models.settings import Settings
from serve_app.local.signals import leave_on_signals

RUNTIME = "pictures"


def fleet_settings(setup: Setup, log: Path) -> Settings:
    """Read the settings of one runtime with these parameters, whose GPU keeps a log."""
    options = {
        "gpuMs": setup.gpu_seconds * 1000,
        "loadMs": setup.load_seconds * 1000,
        "log": str(log),
    }
    scaling = {
        "minReplicas": 0,
        "maxReplicas": setup.most_replicas,
        "queueLength": setup.queue_length,
        "targetLatencySeconds": setup.target_seconds,
        "cooldownSeconds": setup.cooldown_seconds,
        "scaleDown": {"stabilizationWindowSeconds": 5},
    }
    return read_settings(
        {
            "name": RUNTIME,
            "type": "fake",
            "modelFilename": "one.safetensors",
            "gpus": 1,
            "cpus": 1,
            "options": options,
            "scaling": scaling,
            "nodes": {"instanceTypes": ["g5.xlarge"], "idleSeconds": setup.idle_seconds},
            "pod": {"cpu": 1, "memory": 2},
        },
        tasks={"drainSeconds": 20, "pollSeconds": 2},
    )


def measure(
    setup: Setup, settings: Settings, scenarios: Mapping[str, Scenario], log: Path
) -> Mapping[str, tuple[Outcome, Figures]]:
    """Play scenarios on one fleet, and reckon the figures of each."""
    with running_fleet(settings) as fleet, Observer(fleet, RUNTIME) as watch:
        outcomes = [
            played(name, scenario, watch, setup)
            for name, scenario in track(scenarios.items(), "scenarios", len(scenarios))
        ]
    return {one.name: (one, figures(one, setup, log)) for one in outcomes}


def main(
    *,
    tasks: Annotated[int, typer.Option(min=1, help="of each burst")] = 24,
    gpu_seconds: Duration = 2,
    load_seconds: Amount = 1,
    most_replicas: Count = 3,
    queue_length: Count = 8,
    target_seconds: Annotated[float, typer.Option(min=1, help="targetLatencySeconds")] = 30,
    cooldown_seconds: Duration = 15,
    idle_seconds: Annotated[int, typer.Option(min=1, help="nodes.idleSeconds")] = 5,
    out: Out = OUT,
) -> None:
    """Measure a fleet that follows its queue, from zero and back."""
    setup = Setup(
        tasks=tasks,
        gpu_seconds=gpu_seconds,
        load_seconds=load_seconds,
        most_replicas=most_replicas,
        queue_length=queue_length,
        target_seconds=target_seconds,
        cooldown_seconds=cooldown_seconds,
        idle_seconds=idle_seconds,
    )
    leave_on_signals()  # else SIGTERM would leave the cluster behind
    out.mkdir(parents=True, exist_ok=True)
    log = out.absolute() / "scale-gpu.jsonl"
    log.unlink(missing_ok=True)
    settings = fleet_settings(setup, log)
    found = measure(setup, settings, SCENARIOS, log)
    draw([outcome for outcome, _ in found.values()], out / "scale.png")
    _report(found, setup, out / "scale.json")


def _report(found: Mapping[str, tuple[Outcome, Figures]], setup: Setup, path: Path) -> None:
    reckoned = {name: asdict(one) for name, (_, one) in found.items()}
    seen = {name: asdict(outcome) for name, (outcome, _) in found.items()}
    kept = {name: {**reckoned[name], "seen": seen[name]} for name in found}
    rows = [
        (field.name.replace("_", " "), *(one[field.name] for one in reckoned.values()))
        for field in fields(Figures)
    ]
    report(path, asdict(setup), kept, ("figure", *found), rows)


if __name__ == "__main__":
    typer.run(main)
