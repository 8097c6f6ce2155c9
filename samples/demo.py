"""The main job, from nothing: start the platform, make four pictures, show them, stop it.

`make demo` runs it. Text-to-image, image-to-image and upscaling go in over HTTP, one more
text-to-image is published straight to the SNS topic; the notifications come back by SQS.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from samples.local import Local, running
from samples.shapes.judge import judge

OUTPUT = Path("demo-output")
TASK_SECONDS = 120
RUNTIME = "sdruntime"
TOLD = {"ATELIER_TASKS__NOTIFYRUNNING": "true"}
"""Settings of the demo alone: its bars show each start, so notifications say that, too."""
_SAYS = {"queued": 1, "running": 2, "completed": 3, "failed": 3}

console = Console()


@dataclass
class Wanted:
    """A task of the demo, and what became of it."""

    id: str
    way: str
    """``HTTP`` or ``SNS``."""
    tasktype: str
    content: Mapping[str, Any]
    shows: tuple[str, str, str] | None = None
    """Foreground colour, shape and background colour that must be seen in the picture."""
    times: dict[str, float] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> dict[str, Any]:
        metadata = {"id": self.id, "runtime": RUNTIME, "tasktype": self.tasktype, "prefix": "demo"}
        return {"metadata": metadata, "content": dict(self.content)}

    @property
    def ended(self) -> bool:
        return "result" in self.told


@contextmanager
def platform() -> Iterator[Local]:
    """The platform on this machine, and a word about where it is."""
    with ExitStack() as stack:
        with console.status("Starting the embedded AWS, Ray and the runtime …"):
            there = stack.enter_context(running(environment=TOLD))
        address = there.address
        console.print(f"Started in {address['seconds']:.1f} s: {address['url']}, AWS at", end=" ")
        console.print(f"{address['aws_endpoint']}, dashboard at {address['dashboard']}")
        yield there


def first_tasks() -> list[Wanted]:
    return [
        Wanted(
            id="text-to-image",
            way="HTTP",
            tasktype="text-to-image",
            content=_prompt("a red circle on a blue background", seed=3),
            shows=("red", "circle", "blue"),
        ),
        Wanted(
            id="published",
            way="SNS",
            tasktype="text-to-image",
            content=_prompt("a green heart on a white background", seed=5),
            shows=("green", "heart", "white"),
        ),
    ]


def tasks_on(picture: str) -> list[Wanted]:
    """Two tasks on a picture that is there already, named by its ``s3://`` link."""
    return [
        Wanted(
            id="image-to-image",
            way="HTTP",
            tasktype="image-to-image",
            content=_prompt("a yellow star on a blue background", seed=3)
            | {"init_images": [picture], "denoising_strength": 0.9},
            shows=("yellow", "star", "blue"),
        ),
        Wanted(
            id="upscaled",
            way="HTTP",
            tasktype="extra-single-image",
            content={"image": picture, "upscaling_resize": 4, "upscaler_1": "4x-shapes"},
            shows=("red", "circle", "blue"),
        ),
    ]


def _prompt(prompt: str, *, seed: int) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "seed": seed,
        "steps": 12,
        "cfg_scale": 4,
        "sampler_name": "DPM++ 2M Karras",
    }


def send(there: Local, wanted: Wanted) -> None:
    wanted.times["queued"] = time.monotonic()
    if wanted.way == "SNS":
        there.publish(wanted.message, runtime=RUNTIME)
    else:
        there.submit(wanted.message)


def run(there: Local, tasks: list[Wanted]) -> None:
    """Submit the tasks, and show each until its notification says how it ended."""
    with _bars() as bars:
        rows = {wanted.id: bars.add_task(wanted.id, total=3, state="queued") for wanted in tasks}
        for wanted in tasks:
            send(there, wanted)
            bars.update(rows[wanted.id], completed=1)
        by_id = {wanted.id: wanted for wanted in tasks}
        deadline = time.monotonic() + TASK_SECONDS
        while not all(wanted.ended for wanted in tasks):
            if time.monotonic() > deadline:
                sys.exit(f"no end after {TASK_SECONDS} s")
            for told in there.notifications():
                status = told["status"]
                by_id[told["id"]].told = told
                by_id[told["id"]].times[status] = time.monotonic()
                bars.update(rows[told["id"]], completed=_SAYS[status], state=status)


def _bars() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:15}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]:10}"),
        TimeElapsedColumn(),
        console=console,
    )


def save(there: Local, wanted: Wanted) -> Path:
    """Its first picture, under the demo's folder."""
    if not wanted.told["result"]:
        sys.exit(f"{wanted.id} failed: {there.fetch(wanted.told['output_url']).decode()}")
    uri = wanted.told["image_url"][0]
    path = OUTPUT / f"{wanted.id}{Path(uri).suffix}"
    path.write_bytes(there.fetch(uri))
    return path


def right(wanted: Wanted, path: Path) -> bool:
    """Whether the picture shows what was asked for, judged without the model."""
    seen = judge(Image.open(path))
    return (seen.colour, seen.shape, seen.background) == wanted.shows


def sheet(paths: list[Path]) -> Path:
    """All pictures side by side, at one size."""
    side, gap = 256, 12
    page = Image.new("RGB", (len(paths) * (side + gap) + gap, side + 2 * gap), "white")
    for place, path in enumerate(paths):
        picture = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.NEAREST)
        page.paste(picture, (gap + place * (side + gap), gap))
    page.save(OUTPUT / "demo.png")
    return OUTPUT / "demo.png"


def main() -> int:
    began = time.monotonic()
    OUTPUT.mkdir(exist_ok=True)
    with platform() as there:
        tasks = first_tasks()
        run(there, tasks)
        first = tasks[0].times["completed"] - began
        later = tasks_on(tasks[0].told["image_url"][0])
        run(there, later)
        tasks += later
        paths = [save(there, wanted) for wanted in tasks]
    verdicts = [right(wanted, path) for wanted, path in zip(tasks, paths, strict=True)]
    _report(tasks, paths, verdicts)
    console.print(f"First picture {first:.1f} s after the start. Everything is stopped.")
    console.print(f"Side by side: {sheet(paths)}, one by one: {OUTPUT}/")
    return 0 if all(verdicts) else 1


def _report(tasks: list[Wanted], paths: list[Path], verdicts: list[bool]) -> None:
    table = Table("picture", "sent by", "waited", "ran", "size", "as asked")
    for wanted, path, verdict in zip(tasks, paths, verdicts, strict=True):
        times = wanted.times
        began = times.get("running", times["queued"])
        table.add_row(
            path.name,
            wanted.way,
            f"{began - times['queued']:.2f} s",
            f"{times['completed'] - began:.2f} s",
            "x".join(map(str, Image.open(path).size)),
            "yes" if verdict else f"NO: {judge(Image.open(path))}",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
