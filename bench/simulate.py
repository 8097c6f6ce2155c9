"""Simulate a runtime's fleet under the scaling policy, beside the reference's: `make simulate`.

Discrete events from a seed: tasks come; replicas start on nodes that boot, load checkpoints, draw,
are interrupted and go. The policy is the code that Serve's autoscaler calls. Beside it stands
KEDA's scaler with a HorizontalPodAutoscaler, as the reference system has them. Under either the
first task goes to any replica that is free, or, by `--router affinity`, each to one that has its
checkpoint, as far as that pays.
"""

import json
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.simulation.figures import COLUMNS, by_trace_and_policy, cells, run_of, worse
from bench.simulation.policies import Keda, Ours, described
from bench.simulation.router import Affinity, Fifo
from bench.simulation.run import Simulation, Unended
from bench.simulation.traces import HOUR, TRACES
from bench.simulation.world import World
from cli.cost.prices import shipped
from cli.cost.simulated import Simulated, SimulatedRun
from models.errors import SettingsError
from models.settings import Settings

KEDA = "KEDA"
CONFIGURED = "as configured"
FIRST_COME, AFFINITY = "first come", "affinity"
RULES: dict[str, dict[str, Any]] = {
    "queueLength 10": {"queueLength": 10},
    "60 s": {"targetLatencySeconds": 60},
    "300 s": {"targetLatencySeconds": 300},
}
"""Rules of the policy in turn; all other settings have their defaults."""
_INSTALLATION = {"stackName": "simulated", "modelBucketArn": "arn:aws:s3:::models"}
_REGION, _GPU = "us-east-1", "g6.2xlarge"
_SHARES = frozenset({"jitter", "spot_share"})
"""Parameters of the world that are 1 at most."""


@dataclass(frozen=True)
class Plan:
    """Plan of a run: a trace, a policy and a seed."""

    trace: str
    policy: str
    seed: int
    world: World
    configured: Ours | None = None
    """Policy of a configuration's runtime."""
    router: str = FIRST_COME

    @property
    def name(self) -> str:
        """Name of the policy in figures, with the router's unless that is the plain one."""
        return self.policy if self.router == FIRST_COME else f"{self.policy}, {self.router}"

    def run(self) -> SimulatedRun:
        """Follow the trace to its end."""
        trace = TRACES[self.trace]
        # Every policy sees the same tasks; what chance does to nodes differs, as their moments do.
        tasks, chance = trace.make(Random(self.seed)), Random(f"nodes {self.seed}")
        router = Affinity() if self.router == AFFINITY else Fifo(chance)
        end = trace.hours * HOUR
        simulation = Simulation(tasks, self.rules(), router, self.world, chance, end=end)
        return run_of(
            simulation.run(),
            trace=self.trace,
            hours=trace.hours,
            policy=self.name,
            seed=self.seed,
            spot=self.world.spot_share,
            usd=_price(self.world.spot_share),
        )

    def rules(self) -> Ours | Keda:
        """Make the policy, as it is before the first task."""
        if self.configured:
            return replace(self.configured)
        most = TRACES[self.trace].most
        if self.policy == KEDA:
            return Keda(most)
        scaling = {"maxReplicas": most} | RULES[self.policy]
        runtime = {"name": "simulated", "type": "fake", "scaling": scaling}
        settings = Settings.read(None, _INSTALLATION | {"modelsRuntime": [runtime]})
        return Ours.of(settings, settings.models_runtime[0])


def _price(spot: float) -> float:
    """Return the price of a node for an hour, at a share of Spot."""
    prices = shipped(_REGION)
    on_spot, on_demand = (prices.of("ec2", f"{_GPU} {kind}").usd for kind in ("spot", "on demand"))
    return spot * float(on_spot) + (1 - spot) * float(on_demand)


def simulated(plans: Sequence[Plan]) -> Simulated:
    """Run the plans, as many at once as there are cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = tuple(pool.map(Plan.run, plans))
    parameters = {"world": asdict(plans[0].world), "node": f"{_GPU} in {_REGION}"}
    most = {plan.trace: TRACES[plan.trace].most for plan in plans}
    policies = {plan.name: described(plan.rules(), bounded=bool(plan.configured)) for plan in plans}
    return Simulated(parameters=parameters | {"most": most, "policies": policies}, runs=runs)


def show(outcome: Simulated, console: Console) -> None:
    """Print a table of the runs, and where a policy is worse than KEDA."""
    grouped = by_trace_and_policy(outcome.runs)
    table = Table("trace", "policy", *COLUMNS)
    for (trace, policy), runs in grouped.items():
        table.add_row(trace, policy, *cells(runs), end_section=policy.startswith(KEDA))
    console.print(table)
    policies = outcome.parameters["policies"]
    for name, value in {**outcome.parameters, "policies": "", **policies}.items():
        console.print(f"{name}: {value}")
    console.print(f"seeds: {sorted({run.seed for run in outcome.runs})}; means of them")
    for (trace, policy), runs in grouped.items():
        theirs = grouped.get((trace, KEDA), ())
        for found in worse(runs, theirs) if theirs and policy != KEDA else ():
            console.print(f"worse than {KEDA}: {trace}, {policy}: {found}")


def _world(given: Sequence[str]) -> World:
    pairs = {name: value for name, _, value in (each.partition("=") for each in given)}
    _known("--world", pairs, [field.name for field in fields(World)])
    return World(**{name: _number(name, value) for name, value in pairs.items()})


def _number(name: str, value: str) -> float:
    most, what = (1, "a share, 0 to 1") if name in _SHARES else (math.inf, "a number, 0 or more")
    with suppress(ValueError):
        if 0 <= (number := float(value)) <= most and number < math.inf:
            return number
    raise typer.BadParameter(f"--world {name}: {value!r} is not {what}")


def _configured(config: Path, runtime: str | None) -> Ours:
    """Make the policy of a configuration's runtime, the first one if none is named."""
    try:
        settings = Settings.read(config)
    except SettingsError as exc:
        raise typer.BadParameter(f"--config: {exc}") from None
    names = [each.name for each in settings.models_runtime]
    found = settings.runtime(runtime or names[0])
    if not found:
        raise typer.BadParameter(f"--runtime {runtime}: there are {', '.join(names)}")
    return Ours.of(settings, found)


def _known(option: str, given: Iterable[str], there: Sequence[str]) -> None:
    if unknown := sorted(set(given) - set(there)):
        raise typer.BadParameter(f"{option} {', '.join(unknown)}: there are {', '.join(there)}")


def main(
    *,
    trace: Annotated[list[str] | None, typer.Option(help="a trace; else each of them")] = None,
    policy: Annotated[list[str] | None, typer.Option(help="a policy; else each of them")] = None,
    router: Annotated[
        list[str] | None, typer.Option(help=f"{FIRST_COME} or {AFFINITY}; else {FIRST_COME}")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="a seed; else 1, 2 and 3")] = None,
    config: Annotated[Path | None, typer.Option(help="a config.yaml: its scaling, too")] = None,
    runtime: Annotated[str | None, typer.Option(help="its runtime; else the first")] = None,
    world: Annotated[list[str] | None, typer.Option(help="such as boot_seconds=120")] = None,
    kept: Annotated[Path | None, typer.Option("--json", help="file to keep the runs in")] = None,
) -> None:
    """Simulate days of a fleet; print latencies, hours and money, each a mean over the seeds."""
    policies = [*RULES, *([CONFIGURED] if config else []), KEDA]
    _known("--trace", trace or (), list(TRACES))
    _known("--policy", policy or (), policies)
    _known("--router", router or (), [FIRST_COME, AFFINITY])
    if runtime and not config:
        raise typer.BadParameter("--runtime is one of --config, which is missing")
    if config and policy and CONFIGURED not in policy:
        raise typer.BadParameter(f"--config is for the policy '{CONFIGURED}', which is left out")
    if kept and not kept.parent.is_dir():
        raise typer.BadParameter(f"--json {kept}: there is no such folder")
    configured = _configured(config, runtime) if config else None
    made = _world(world or ())
    parts = product(trace or TRACES, router or [FIRST_COME], policy or policies, seed or [1, 2, 3])
    plans = [
        Plan(day, rules, number, made, configured if rules == CONFIGURED else None, way)
        for day, way, rules, number in parts
    ]
    try:
        outcome = simulated(plans)
    except Unended as exc:
        raise typer.BadParameter(f"what was asked for comes to no end: {exc}") from None
    show(outcome, Console(width=110))
    if kept:
        lines = ",\n".join(run.model_dump_json() for run in outcome.runs)
        kept.write_text(
            f'{{"parameters": {json.dumps(outcome.parameters)},\n"runs": [\n{lines}]}}\n'
        )


if __name__ == "__main__":
    typer.run(main)
