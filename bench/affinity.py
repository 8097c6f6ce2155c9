"""Measure how many loads the router saves, beside Serve's own: `make bench-affinity`.

Two traces, a backlog and open arrivals, of tasks that name one of a dozen checkpoints, on replicas
of a real Ray Serve whose GPUs are simulated. Beside them stands what the simulator makes of them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from ray.serve.config import RequestRouterConfig
from rich.progress import track

from bench.report import OUT, Out, report
from bench.routed.outcome import Outcome, Setup, arrivals, backlog
from bench.routed.serve import DEFAULT, OURS, measured, small_ray
from bench.routed.shared import SharedFleet
from bench.routed.simulated import simulated
from bench.simulation.router import Fifo
from bench.simulation.traces import Tasks

SERVES = "Serve's"
CASES: Mapping[str, tuple[RequestRouterConfig | None, int]] = {
    SERVES: (DEFAULT, 1),
    "ours, 1 ingest": (OURS, 1),
    "ours, 3 ingests": (OURS, 3),
}
"""Router of each column, and the number of ingests."""

Outcomes = Mapping[str, Outcome]


def outcomes(name: str, tasks: Tasks, setup: Setup) -> Outcomes:
    """Route a trace by each of the routers, on Serve and simulated."""
    on_serve = {
        case: measured(tasks, setup, *way) for case, way in track(CASES.items(), name, len(CASES))
    }
    return on_serve | {
        "simulated, first come": simulated(tasks, setup, Fifo(Random(setup.seed))),
        "simulated, ours, 1 ingest": SharedFleet(tasks, setup, 1).run(),
        "simulated, ours, 3 ingests": SharedFleet(tasks, setup, 3).run(),
    }


def main(
    *,
    tasks: Annotated[int, typer.Option(help="of each trace")] = Setup.tasks,
    seconds: Annotated[float, typer.Option(help="GPU time of a task")] = Setup.seconds,
    load_seconds: float = Setup.load_seconds,
    seed: int = Setup.seed,
    lookahead: int = Setup.lookahead,
    rate: Annotated[
        float | None, typer.Option(help="arrivals a second, without the backlog before")
    ] = None,
    out: Out = OUT,
) -> None:
    """Measure loads, waits and throughput by Serve's router and ours."""
    setup = Setup(
        tasks=tasks, seconds=seconds, load_seconds=load_seconds, seed=seed, lookahead=lookahead
    )
    found: dict[str, Outcomes] = {}
    with small_ray(setup):
        if rate is None:
            found["backlog"] = outcomes("backlog", backlog(setup), setup)
            rate = setup.load_share * found["backlog"][SERVES].rate
        found["arrivals"] = outcomes("arrivals", arrivals(setup, rate), setup)
    _report(found, setup, out / "affinity.json")


def _report(found: Mapping[str, Outcomes], setup: Setup, path: Path) -> None:
    rows = [
        (trace, case, *asdict(each).values(), *_ratios(each, by_case[SERVES]))
        for trace, by_case in found.items()
        for case, each in by_case.items()
    ]
    kept = {
        trace: {case: asdict(each) for case, each in by_case.items()}
        for trace, by_case in found.items()
    }
    columns = ("trace", "router", "loads", "p50 s", "p99 s", "tasks/s", "fewer", "p99 x", "rate x")
    report(path, asdict(setup), kept, columns, rows)


def _ratios(ours: Outcome, theirs: Outcome) -> tuple[float, float, float]:
    """Compare with Serve's router: how many times fewer loads, which p99, which throughput."""
    return (
        round(theirs.loads / ours.loads, 1),
        round(ours.p99 / theirs.p99, 2),
        round(ours.rate / theirs.rate, 2),
    )


if __name__ == "__main__":
    typer.run(main)
