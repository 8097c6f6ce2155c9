"""Measure how many loads the router saves, beside Serve's own: `make bench-affinity`.

Tasks that name one of a dozen checkpoints, on replicas of a real Ray Serve whose GPUs are
simulated: a backlog, open arrivals, and a batch that live tasks meet. Beside them stands what the
simulator makes of them, and of the first two the fewest loads that any router could need.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from ray.serve.config import RequestRouterConfig
from rich.progress import track

from bench.report import OUT, Amount, Count, Out, report
from bench.routed.fewest import fewest_loads
from bench.routed.outcome import Outcome, Routed, Setup, arrivals, backlog, mixed, parts
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
FIRST_COME = "simulated, first come"
P99_TIMES = 1.5
"""Times the p99 wait of Serve's router that the fewest loads may take."""
_COLUMNS = ("trace", "router", "loads", "p50 s", "p99 s", "tasks/s")
_RATIOS = ("fewer", "of possible", "p99 x", "rate x")

Outcomes = Mapping[str, Outcome]


def routed(name: str, tasks: Tasks, setup: Setup) -> Mapping[str, Routed]:
    """Route a trace by each of the routers, on Serve and simulated."""
    on_serve = {
        case: measured(tasks, setup, *way) for case, way in track(CASES.items(), name, len(CASES))
    }
    fleets = {count: SharedFleet(tasks, setup, count) for count in (1, 3)}
    for fleet in fleets.values():
        fleet.run()
    return on_serve | {
        "simulated, ours, 1 ingest": fleets[1].routed,
        "simulated, ours, 3 ingests": fleets[3].routed,
    }


def outcomes(name: str, tasks: Tasks, setup: Setup) -> Outcomes:
    """Reckon the figures of a trace by each of the routers."""
    found = {case: each.outcome for case, each in routed(name, tasks, setup).items()}
    return found | {FIRST_COME: simulated(tasks, setup, Fifo(Random(setup.seed)))}


def main(
    *,
    tasks: Annotated[int, typer.Option(min=2, help="of each trace")] = Setup.tasks,
    seconds: Annotated[float, typer.Option(min=0.001, help="GPU time of a task")] = Setup.seconds,
    load_seconds: Amount = Setup.load_seconds,
    replicas: Count = Setup.replicas,
    seed: int = Setup.seed,
    lookahead: Annotated[int, typer.Option(min=0)] = Setup.lookahead,
    rate: Annotated[
        float | None,
        typer.Option(min=0.001, help="arrivals a second, without the other traces"),
    ] = None,
    search_seconds: Annotated[
        float, typer.Option(min=1, help="of the search for the fewest loads")
    ] = 120,
    out: Out = OUT,
) -> None:
    """Measure loads, waits and throughput by Serve's router and ours."""
    setup = Setup(
        tasks=tasks,
        seconds=seconds,
        load_seconds=load_seconds,
        replicas=replicas,
        seed=seed,
        lookahead=lookahead,
    )
    traces: dict[str, Tasks] = {}
    found: dict[str, Outcomes] = {}
    met: Mapping[str, Routed] = {}
    with small_ray(setup):
        if rate is None:
            traces["backlog"] = backlog(setup)
            found["backlog"] = outcomes("backlog", traces["backlog"], setup)
            met = routed("batch and live", mixed(setup), setup)
            rate = setup.load_share * found["backlog"][SERVES].rate
        traces["arrivals"] = arrivals(setup, rate)
        found["arrivals"] = outcomes("arrivals", traces["arrivals"], setup)
    fewest = {
        trace: fewest_loads(each, setup, P99_TIMES * found[trace][SERVES].p99, search_seconds)
        for trace, each in traces.items()
    }
    _report(found, fewest, {case: parts(each) for case, each in met.items()}, setup, out)


def _report(
    found: Mapping[str, Outcomes],
    fewest: Mapping[str, int],
    met: Mapping[str, Outcomes],
    setup: Setup,
    out: Path,
) -> None:
    """Keep and show the figures; ``met``: those of the batch and the live tasks, by the router."""
    kept = {
        trace: {case: asdict(each) for case, each in by_case.items()}
        | {"fewest possible": {"loads": fewest[trace]}}
        for trace, by_case in found.items()
    }
    for case, by_part in met.items():
        for part, each in by_part.items():
            kept.setdefault(part, {})[case] = asdict(each)
    report(
        out / "affinity.json",
        asdict(setup),
        kept,
        _COLUMNS + _RATIOS,
        [*_rows(found, fewest), *_rows_of_parts(met)],
    )


def _rows(found: Mapping[str, Outcomes], fewest: Mapping[str, int]) -> Iterator[tuple[Any, ...]]:
    for trace, by_case in found.items():
        serves = by_case[SERVES]
        for case, each in by_case.items():
            yield trace, case, *asdict(each).values(), *_ratios(each, serves, fewest[trace])
        yield trace, "fewest possible", fewest[trace]


def _rows_of_parts(met: Mapping[str, Outcomes]) -> Iterator[tuple[Any, ...]]:
    for case, by_part in met.items():
        for part, each in by_part.items():
            p99 = round(each.p99 / met[SERVES][part].p99, 2)
            yield part, case, *asdict(each).values(), "", "", p99


def _ratios(ours: Outcome, serves: Outcome, fewest: int) -> tuple[float, float, float, float]:
    """Compare with Serve's router: loads, p99 and throughput.

    Of the loads: how many times fewer, and the share of those that any router could save.
    """
    return (
        round(serves.loads / ours.loads, 1),
        round((serves.loads - ours.loads) / max(serves.loads - fewest, 1), 2),
        round(ours.p99 / serves.p99, 2),
        round(ours.rate / serves.rate, 2),
    )


if __name__ == "__main__":
    typer.run(main)
