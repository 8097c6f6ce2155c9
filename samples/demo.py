"""The main job, from nothing: start the platform, paint a poster of twelve pictures, stop it.

`make demo` runs it. Ten text-to-image tasks and one image-to-image go in over HTTP, one more
text-to-image is published straight to the SNS topic; one task enlarges them all. The notifications
come back by SQS.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
COLUMNS = 4
_TOLD = {"queued": 1, "running": 2, "completed": 3, "failed": 3}

console = Console()


@dataclass(frozen=True)
class Scene:
    """A tile of the poster: what is to be seen there."""

    colour: str
    shape: str
    background: str
    seed: int = 3

    @property
    def id(self) -> str:
        return f"{self.colour}-{self.shape}"

    @property
    def prompt(self) -> str:
        return f"a {self.colour} {self.shape} on a {self.background} background"


SCENES = (
    Scene("red", "circle", "blue"),
    Scene("black", "square", "yellow"),
    Scene("green", "heart", "white", seed=5),
    Scene("white", "star", "red"),
    Scene("yellow", "triangle", "pink"),
    Scene("purple", "ring", "white"),
    Scene("yellow", "star", "blue"),
    Scene("orange", "cross", "black"),
    Scene("cyan", "square", "red"),
    Scene("pink", "diamond", "black"),
    Scene("blue", "circle", "yellow"),
    Scene("green", "ring", "cyan"),
)
PUBLISHED = SCENES[2]
"""Scene whose task is sent by SNS; the others' are sent by HTTP."""
REPAINTED = SCENES[6]
"""Scene that is painted over the first picture: image-to-image."""


@dataclass
class Wanted:
    """A task of the demo, and what became of it."""

    id: str
    tasktype: str
    content: Mapping[str, Any]
    way: str = "HTTP"
    """``HTTP`` or ``SNS``."""
    times: dict[str, float] = field(default_factory=dict)
    """Time at which the task came to each status, in seconds of the monotonic clock."""
    notification: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> dict[str, Any]:
        metadata = {"id": self.id, "runtime": RUNTIME, "tasktype": self.tasktype, "prefix": "demo"}
        return {"metadata": metadata, "content": dict(self.content)}

    @property
    def ended(self) -> bool:
        return "result" in self.notification


@contextmanager
def platform() -> Iterator[Local]:
    """The platform on this machine, and a word about where it is."""
    with ExitStack() as stack:
        with console.status("Starting the embedded AWS, Ray and the runtime …"):
            there = stack.enter_context(running())
        address = there.address
        console.print(f"Started in {address['seconds']:.1f} s: {address['url']}, AWS at", end=" ")
        console.print(f"{address['aws_endpoint']}, dashboard at {address['dashboard']}")
        yield there


def painted(scene: Scene) -> Wanted:
    """The text-to-image task of a scene."""
    way = "SNS" if scene is PUBLISHED else "HTTP"
    return Wanted(scene.id, "text-to-image", _content(scene), way)


def repainted(scene: Scene, picture: str) -> Wanted:
    """The image-to-image task of a scene, on a picture that is named by its ``s3://`` link."""
    more = {"init_images": [picture], "denoising_strength": 0.9}
    return Wanted(scene.id, "image-to-image", _content(scene) | more)


def enlarged(pictures: Sequence[str]) -> Wanted:
    """Make a task that enlarges these pictures to four times their width and height."""
    images = [{"name": Path(picture).name, "data": picture} for picture in pictures]
    content = {"imageList": images, "upscaling_resize": 4, "upscaler_1": "4x-shapes"}
    return Wanted("enlarged", "extra-batch-images", content)


def _content(scene: Scene) -> dict[str, Any]:
    return {
        "prompt": scene.prompt,
        "seed": scene.seed,
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


def run(there: Local, tasks: Sequence[Wanted]) -> None:
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
            for notification in there.notifications():
                status = notification["status"]
                by_id[notification["id"]].notification = notification
                by_id[notification["id"]].times[status] = time.monotonic()
                bars.update(rows[notification["id"]], completed=_TOLD[status], state=status)
    for wanted in tasks:
        if not wanted.notification["result"]:
            reason = there.fetch(wanted.notification["output_url"]).decode()
            sys.exit(f"{wanted.id} failed: {reason}")


def _bars() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:15}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]:10}"),
        TimeElapsedColumn(),
        console=console,
    )


def paint(there: Local) -> list[Wanted]:
    """Paint all scenes, and enlarge them; the tasks in the scenes' order, the enlarging last."""
    tasks = {scene: painted(scene) for scene in SCENES if scene is not REPAINTED}
    run(there, list(tasks.values()))
    tasks[REPAINTED] = repainted(REPAINTED, _picture(tasks[SCENES[0]]))
    run(there, [tasks[REPAINTED]])
    in_order = [tasks[scene] for scene in SCENES]
    last = enlarged([_picture(task) for task in in_order])
    run(there, [last])
    return [*in_order, last]


def _picture(wanted: Wanted) -> str:
    uri: str = wanted.notification["image_url"][0]
    return uri


def save(there: Local, enlarged: Wanted) -> list[Path]:
    """The enlarged pictures as files, one for each scene."""
    OUTPUT.mkdir(exist_ok=True)
    paths = [OUTPUT / f"{scene.id}.png" for scene in SCENES]
    for path, uri in zip(paths, enlarged.notification["image_url"], strict=True):
        path.write_bytes(there.fetch(uri))
    return paths


def as_asked(scene: Scene, path: Path) -> bool:
    """Tell whether a picture shows what was asked for; the judge does not use the model."""
    seen = judge(Image.open(path))
    return (seen.colour, seen.shape, seen.background) == (
        scene.colour,
        scene.shape,
        scene.background,
    )


def poster(paths: Sequence[Path]) -> Path:
    """Make a poster of the pictures, edge to edge in rows of four; its path."""
    pictures = [Image.open(path).convert("RGB") for path in paths]
    width, height = pictures[0].size
    page = Image.new("RGB", (COLUMNS * width, -(-len(pictures) // COLUMNS) * height))
    for place, picture in enumerate(pictures):
        row, column = divmod(place, COLUMNS)
        page.paste(picture, (column * width, row * height))
    page.save(OUTPUT / "poster.png", optimize=True)
    return OUTPUT / "poster.png"


def main() -> int:
    began = time.monotonic()
    with platform() as there:
        tasks = paint(there)
        paths = save(there, tasks[-1])
    first = min(task.times["completed"] for task in tasks) - began
    verdicts = [as_asked(scene, path) for scene, path in zip(SCENES, paths, strict=True)]
    _report(tasks, paths, verdicts)
    console.print(f"First picture {first:.1f} s after the start. Everything is stopped.")
    console.print(f"The poster: {poster(paths)}, its pictures: {OUTPUT}/")
    return 0 if all(verdicts) else 1


def _report(tasks: Sequence[Wanted], paths: Sequence[Path], verdicts: Sequence[bool]) -> None:
    table = Table("picture", "sent by", "as", "took", "as asked")
    for wanted, path, verdict in zip(tasks, paths, verdicts, strict=False):
        took = wanted.times["completed"] - wanted.times["queued"]
        table.add_row(
            path.name,
            wanted.way,
            wanted.tasktype,
            f"{took:.2f} s",
            "yes" if verdict else f"NO: {judge(Image.open(path))}",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
