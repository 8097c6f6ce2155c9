"""Measure what a task costs in CPU time: `make cost`, with `HARNESS=path` beside a yardstick.

The whole platform under Ray, its own processes; Ray's daemons meanwhile; and each part of both,
with what it costs where there is nothing to do. With a harness two more figures, in rounds in which
all take turns: its yardstick; our ingest and a replica in one process. The platform runs all the
time. A ratio is a median over that of the yardstick. The platform's GPU is the `fake` runtime, the
others' the harness's, behind the API of the Web UI, whose answers they have to read.
"""

import statistics
import time
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

YARDSTICK, PLATFORM = "yardstick", "the platform under Ray"
DAEMONS = "Ray's daemons beside it"
IDLE = "idle, ms a second"
COLUMNS = ("CPU a task, ms", "least", "most", "ratio", "tasks a core and second")

Measure = Callable[[], Mapping[str, float]]
"""Work a backlog off; return milliseconds of CPU time a task, by what spent them."""


def line_of(setup: compare.Setup) -> overlap.Setup:
    """Return the platform's part of the setup."""
    return overlap.Setup(setup.gpu_ms, setup.delay_ms, backlog=setup.tasks, singles=0)


def cost(
    setup: compare.Setup, line: overlap.Line, idle_seconds: float
) -> dict[str, dict[str, Any]]:
    """Measure all that take turns; only the platform where the setup has no harness."""
    idle = _idle(line, idle_seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        beside = _consumers(stack, setup, folder) if setup.harness else ()
        measures = (*beside, _platform(setup, line))
        rounds = measures * setup.rounds
        taken: dict[str, list[float]] = {}
        for measure in track(rounds, f"T = {setup.gpu_ms:g} ms"):
            for name, milliseconds in measure().items():
                taken.setdefault(name, []).append(milliseconds)
    theirs = statistics.median(taken[YARDSTICK]) if setup.harness else None
    return {name: {**_figures(each, theirs), **idle.get(name, {})} for name, each in taken.items()}


def _idle(line: overlap.Line, seconds: float) -> Mapping[str, Mapping[str, float]]:
    """Measure milliseconds of a core each second that all of it takes with nothing to do."""
    before = overlap.usage(line.platform.pid)
    time.sleep(seconds)
    after = overlap.usage(line.platform.pid)
    spent = {
        name: round((after[name].cpu - before[name].cpu) * 1000 / seconds, 1) for name in after
    }
    return {_row(name): {IDLE: value} for name, value in spent.items()}


def _row(name: str) -> str:
    """Name the row of a group of processes, or of a part, that `overlap.usage` tells."""
    return {"platform": PLATFORM, "ray": DAEMONS}.get(name, f"  {name}")


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
        parts = {_row(part): figures[f"cpu_ms_per_task, {part}"] for part in overlap.PARTS}
        return {PLATFORM: ours, DAEMONS: rays, **parts}

    return measure


def _figures(taken: Sequence[float], theirs: float | None) -> dict[str, Any]:
    """Sum up the rounds, ``theirs`` being the yardstick's median, if there is one."""
    median = statistics.median(taken)
    rate = 1000 / median if median else 0.0
    values = (median, min(taken), max(taken), median / theirs if theirs else None, rate)
    figures = (value if value is None else round(value, 2) for value in values)
    return {**dict(zip(COLUMNS, figures, strict=True)), "rounds": list(taken)}


def main(
    harness: Annotated[
        Path | None, typer.Argument(resolve_path=True, help="folder with bench.py of a yardstick")
    ] = None,
    *,
    gpu_ms: Amount = 200,
    delay_ms: Amount = 20,
    tasks: overlap.Backlog = 40,
    rounds: Count = 3,
    idle_seconds: Annotated[float, typer.Option(min=1, help="of nothing to do")] = 20,
    out: Out = OUT,
) -> None:
    """Measure what a task costs in CPU time, beside a yardstick if there is one."""
    setup = compare.Setup(harness, "webui", gpu_ms, delay_ms, tasks, rounds)
    with overlap.started(line_of(setup)) as line:
        tell(setup, cost(setup, line, idle_seconds), out)


def tell(setup: compare.Setup, found: Mapping[str, Mapping[str, Any]], out: Path) -> None:
    """Print the figures, and keep them in a folder."""
    columns = (*COLUMNS, IDLE)
    rows = [
        (name, *("" if (value := figures.get(column)) is None else value for column in columns))
        for name, figures in found.items()
    ]
    path = out / f"cost-{setup.gpu_ms:g}.json"
    report(path, asdict(setup), found, ("", *columns), rows)


if __name__ == "__main__":
    typer.run(main)
