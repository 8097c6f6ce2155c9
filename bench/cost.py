"""Measure what a task costs in CPU time, beside a yardstick: `make cost HARNESS=path`.

Four figures, in rounds in which all take turns: the harness's yardstick; our ingest and a replica
in one process; the whole platform under Ray, its own processes; Ray's daemons meanwhile. The
platform runs all the time, and each of its parts is told as well. A ratio is a median over that of
the yardstick. The platform's GPU is the `fake` runtime, the others' the harness's, behind the API
of the Web UI, whose answers they have to read.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.progress import track

from bench import compare, overlap
from bench.report import OUT, Amount, Count, Out, report

YARDSTICK = "yardstick"
COLUMNS = ("CPU a task, ms", "least", "most", "ratio", "tasks a core and second")

Measure = Callable[[], Mapping[str, float]]
"""Work a backlog off; return milliseconds of CPU time a task, by what spent them."""


def line_of(setup: compare.Setup) -> overlap.Setup:
    """Return the platform's part of the setup."""
    return overlap.Setup(setup.gpu_ms, setup.delay_ms, backlog=setup.tasks, singles=0)


def cost(setup: compare.Setup, line: overlap.Line) -> dict[str, dict[str, Any]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        measures = (*_consumers(stack, setup, folder), _platform(setup, line))
        rounds = measures * setup.rounds
        taken: dict[str, list[float]] = {}
        for measure in track(rounds, f"T = {setup.gpu_ms:g} ms"):
            for name, milliseconds in measure().items():
                taken.setdefault(name, []).append(milliseconds)
    theirs = statistics.median(taken[YARDSTICK])
    return {name: _figures(each, theirs) for name, each in taken.items()}


def _consumers(stack: ExitStack, setup: compare.Setup, folder: Path) -> Sequence[Measure]:
    environment = stack.enter_context(compare.ledger(setup, folder))
    systems = compare.write_systems(setup, environment, folder)

    def measured(name: str, system: str) -> Measure:
        def measure() -> Mapping[str, float]:
            row = compare.run(setup, "throughput", system, systems, folder)
            return {name: row["cpu_ms_per_task"]}

        return measure

    ours = "ingest and a replica, without Ray"
    return measured(YARDSTICK, compare.YARDSTICK), measured(ours, compare.OURS)


def _platform(setup: compare.Setup, line: overlap.Line) -> Measure:
    def measure() -> Mapping[str, float]:
        figures = overlap.backlog(line_of(setup), line)
        ours, rays = figures["cpu_ms_per_task"], figures["ray_cpu_ms_per_task"]
        parts = {f"  {part}": figures[f"cpu_ms_per_task, {part}"] for part in overlap.PARTS}
        return {"the platform under Ray": ours, "Ray's daemons beside it": rays, **parts}

    return measure


def _figures(taken: Sequence[float], theirs: float) -> dict[str, Any]:
    """Sum up the rounds, ``theirs`` being the yardstick's median."""
    median = statistics.median(taken)
    rate = 1000 / median if median else 0.0
    values = (median, min(taken), max(taken), median / theirs, rate)
    figures = (round(value, 2) for value in values)
    return {**dict(zip(COLUMNS, figures, strict=True)), "rounds": list(taken)}


def main(
    harness: Annotated[Path, typer.Argument(resolve_path=True, help="folder with bench.py")],
    *,
    gpu_ms: Amount = 200,
    delay_ms: Amount = 20,
    tasks: overlap.Backlog = 40,
    rounds: Count = 3,
    out: Out = OUT,
) -> None:
    """Measure what a task costs in CPU time, beside a yardstick."""
    setup = compare.Setup(harness, "webui", gpu_ms, delay_ms, tasks, rounds)
    with overlap.started(line_of(setup)) as line:
        tell(setup, cost(setup, line), out)


def tell(setup: compare.Setup, found: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Print the figures, and keep them in a folder."""
    rows = [(name, *(figures[column] for column in COLUMNS)) for name, figures in found.items()]
    path = out / f"cost-{setup.gpu_ms:g}.json"
    report(path, asdict(setup), found, ("", *COLUMNS), rows)


if __name__ == "__main__":
    typer.run(main)
