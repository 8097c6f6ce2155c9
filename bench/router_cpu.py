"""Measure the CPU time of the router a task, for fleets of several sizes: `make bench-affinity`.

The routers and the replicas run the code that they run on Ray Serve; the rest is simulated, and its
own time counted, too.
"""

import time
from typing import Annotated

import typer
from rich.progress import track

from bench.report import OUT, Out, report
from bench.routed.outcome import Setup, arrivals, backlog
from bench.routed.shared import SharedFleet

_LOAD_SHARE = 0.7
"""Share at which tasks keep the GPUs busy where they arrive one after the other, loads left out."""
Row = dict[str, float | str]


def cost(trace: str, replicas: int, checkpoints: int, ingests: int, tasks: int) -> Row:
    """Route tasks of a second each; ``tasks``: for each replica, and 400 at least."""
    count = max(400, tasks * replicas)
    setup = Setup(replicas=replicas, checkpoints=checkpoints, tasks=count, seconds=1.0)
    sent = backlog(setup) if trace == "backlog" else arrivals(setup, _LOAD_SHARE * replicas)
    fleet = SharedFleet(sent, setup, ingests)
    begin = time.process_time()
    outcome = fleet.run()
    ms = round((time.process_time() - begin) / count * 1000, 2)
    return {
        "trace": trace,
        "replicas": replicas,
        "checkpoints": checkpoints,
        "ingests": ingests,
        "CPU a task, ms": ms,
        "loads a task": round(outcome.loads / count, 3),
        "refusals a task": round(fleet.refusals / count, 3),
    }


def main(
    *,
    replicas: Annotated[list[int], typer.Option(min=1, help="of a fleet; may be given again")] = [  # noqa: B006 # a default of typer's
        4,
        100,
        1000,
    ],
    tasks: Annotated[int, typer.Option(min=1, help="for each replica")] = 5,
    out: Out = OUT,
) -> None:
    """Measure the CPU time of routers and replicas a task."""
    cases = [
        (trace, size, checkpoints, ingests)
        for size in replicas
        for checkpoints in (12, 60)
        for trace in ("backlog", "arrivals")
        for ingests in (1, 3)
    ]
    rows = [cost(*case, tasks) for case in track(cases, "fleets")]
    report(
        out / "router_cpu.json", {"tasks": tasks}, {"rows": rows}, rows[0], map(dict.values, rows)
    )


if __name__ == "__main__":
    typer.run(main)
