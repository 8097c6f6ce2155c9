"""Measure what previews cost: `python -m bench.previews`.

The small checkpoint of shapes paints one picture again and again, in turns with previews and
without. Times are CPU time of this process on one thread, for the machine may be busy otherwise.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from bench.report import OUT, Count, Out, report
from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers.checkpoint_pool import CheckpointPool
from models.report import Progress
from models.runtimes.diffusers import Options
from models.task import Kind, Task

MODELS = Path("samples/models")
EVERY = Options().preview_every


@dataclass(frozen=True)
class Setup:
    """Parameters of a measurement: steps from preview to preview, a picture's side in pixels."""

    every: int
    steps: int
    side: int
    rounds: int

    @property
    def task(self) -> Task:
        size = {"steps": self.steps, "width": self.side, "height": self.side}
        content = {"prompt": "a red circle on a blue background", "seed": 1, **size}
        kind = Kind.TEXT_TO_IMAGE
        return Task(submission="bench", id="bench", runtime="bench", kind=kind, content=content)


@dataclass(frozen=True)
class Timed:
    """CPU milliseconds of one task's steps; the first has the encoding of the prompt in it."""

    plain: list[float]
    shown: list[float]
    """Milliseconds of the steps with a preview."""

    @property
    def whole(self) -> float:
        return sum(self.plain) + sum(self.shown)


def opened(every: int) -> CheckpointPool:
    spec = RuntimeSpec(name="bench", checkpoint="shapes", checkpoints=MODELS)
    given = {"device": "cpu", "threads": 1, "previewEvery": every}
    pool = CheckpointPool(spec, Options.read(given, under="options"))
    pool.load(None)
    return pool


def timed(pool: CheckpointPool, task: Task) -> Timed:
    took = Timed([], [])
    began = time.process_time()
    for step in pool.steps(task, {}):
        if isinstance(step, Progress):
            now = time.process_time()
            (took.shown if step.preview else took.plain).append((now - began) * 1000)
            began = now
    return took


def measure(setup: Setup) -> dict[str, float]:
    without, with_ = opened(0), opened(setup.every)
    timed(without, setup.task)  # code paths, as in a replica that has run
    first = timed(with_, setup.task)  # its first preview fits the map of colours
    # In turns, so that a machine that warms up or throttles slows both alike.
    rounds = [(timed(without, setup.task), timed(with_, setup.task)) for _ in range(setup.rounds)]
    return _figures(first, rounds)


def _figures(first: Timed, rounds: Sequence[tuple[Timed, Timed]]) -> dict[str, float]:
    step = median(ms for pair in rounds for one in pair for ms in one.plain)
    shown = median(ms for _, on in rounds for ms in on.shown)
    return {
        "ms_per_step": round(step, 2),
        "ms_per_preview": round(shown - step, 2),
        "ms_first_preview": round(first.shown[0] - step, 1),
        "ratio": round(median(on.whole / off.whole for off, on in rounds), 3),
    }


def main(
    *,
    every: Count = EVERY,
    steps: Annotated[int, typer.Option(min=2, help="more than --every")] = 20,
    side: Annotated[int, typer.Option(min=8, help="pixels, a multiple of 8")] = 64,
    rounds: Count = 40,
    out: Out = OUT,
) -> None:
    """Measure what previews cost."""
    if steps <= every:
        raise typer.BadParameter(f"--steps {steps}: none has a preview after {every}")
    if side % 8:
        raise typer.BadParameter(f"--side {side}: it must be a multiple of 8")
    setup = Setup(every, steps, side, rounds)
    figures = measure(setup)
    path = out / f"previews-{setup.every}-{setup.side}.json"
    report(path, asdict(setup), figures, ("figure", "value"), figures.items())


if __name__ == "__main__":
    typer.run(main)
