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

from samples.local import LocalPlatform, running
from samples.shapes.judge import judge

OUTPUT = Path("demo-output")
TASK_SECONDS = 120
RUNTIME = "sdruntime"
COLUMNS = 4
_DONE_STEPS = {"queued": 1, "running": 2, "completed": 3, "failed": 3}

console = Console()


@dataclass(frozen=True)
class Scene:
    """Tile of the poster: a coloured shape on a background."""

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
class DemoTask:
    """Task of the demo: its message, the times of its statuses, its notification."""

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
def started_platform() -> Iterator[LocalPlatform]:
    """Start the platform on this machine, and print its addresses; stop it at the end."""
    with ExitStack() as stack:
        with console.status("Starting the embedded AWS, Ray and the runtime …"):
            platform = stack.enter_context(running())
        address = platform.address
        console.print(f"Started in {address['seconds']:.1f} s: {address['url']}, AWS at", end=" ")
        console.print(f"{address['aws_endpoint']}, dashboard at {address['dashboard']}")
        yield platform


def painted(scene: Scene) -> DemoTask:
    """The text-to-image task of a scene."""
    way = "SNS" if scene is PUBLISHED else "HTTP"
    return DemoTask(scene.id, "text-to-image", _content(scene), way)


def repainted(scene: Scene, picture: str) -> DemoTask:
    """The image-to-image task of a scene, on a picture that is named by its ``s3://`` link."""
    more = {"init_images": [picture], "denoising_strength": 0.9}
    return DemoTask(scene.id, "image-to-image", _content(scene) | more)


def enlarged(pictures: Sequence[str]) -> DemoTask:
    """Make a task that enlarges these pictures to four times their width and height."""
    images = [{"name": Path(picture).name, "data": picture} for picture in pictures]
    content = {"imageList": images, "upscaling_resize": 4, "upscaler_1": "4x-shapes"}
    return DemoTask("enlarged", "extra-batch-images", content)


def _content(scene: Scene) -> dict[str, Any]:
    return {
        "prompt": scene.prompt,
        "seed": scene.seed,
        "steps": 12,
        "cfg_scale": 4,
        "sampler_name": "DPM++ 2M Karras",
    }


def send(platform: LocalPlatform, task: DemoTask) -> None:
    task.times["queued"] = time.monotonic()
    if task.way == "SNS":
        platform.publish(task.message, runtime=RUNTIME)
    else:
        platform.submit(task.message)


def run(platform: LocalPlatform, tasks: Sequence[DemoTask]) -> None:
    """Submit the tasks, and show each until its notification says how it ended."""
    with _bars() as bars:
        rows = {task.id: bars.add_task(task.id, total=3, state="queued") for task in tasks}
        for task in tasks:
            send(platform, task)
            bars.update(rows[task.id], completed=1)
        by_id = {task.id: task for task in tasks}
        deadline = time.monotonic() + TASK_SECONDS
        while not all(task.ended for task in tasks):
            if time.monotonic() > deadline:
                sys.exit(f"no end after {TASK_SECONDS} s")
            for notification in platform.notifications():
                status = notification["status"]
                by_id[notification["id"]].notification = notification
                by_id[notification["id"]].times[status] = time.monotonic()
                bars.update(rows[notification["id"]], completed=_DONE_STEPS[status], state=status)
    for task in tasks:
        if not task.notification["result"]:
            reason = platform.fetch(task.notification["output_url"]).decode()
            sys.exit(f"{task.id} failed: {reason}")


def _bars() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:15}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]:10}"),
        TimeElapsedColumn(),
        console=console,
    )


def paint(platform: LocalPlatform) -> list[DemoTask]:
    """Paint all scenes, and enlarge them; the tasks in the scenes' order, the enlarging last."""
    # In three runs: each links pictures of the run before, which have to be there.
    tasks = {scene: painted(scene) for scene in SCENES if scene is not REPAINTED}
    run(platform, list(tasks.values()))
    tasks[REPAINTED] = repainted(REPAINTED, _picture(tasks[SCENES[0]]))
    run(platform, [tasks[REPAINTED]])
    in_order = [tasks[scene] for scene in SCENES]
    last = enlarged([_picture(task) for task in in_order])
    run(platform, [last])
    return [*in_order, last]


def _picture(task: DemoTask) -> str:
    uri: str = task.notification["image_url"][0]
    return uri


def save(platform: LocalPlatform, enlarged: DemoTask) -> list[Path]:
    """The enlarged pictures as files, one for each scene."""
    OUTPUT.mkdir(exist_ok=True)
    paths = [OUTPUT / f"{scene.id}.png" for scene in SCENES]
    for path, uri in zip(paths, enlarged.notification["image_url"], strict=True):
        path.write_bytes(platform.fetch(uri))
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
    with started_platform() as platform:
        tasks = paint(platform)
        paths = save(platform, tasks[-1])
    first = min(task.times["completed"] for task in tasks) - began
    verdicts = [as_asked(scene, path) for scene, path in zip(SCENES, paths, strict=True)]
    _report(tasks, paths, verdicts)
    console.print(f"First picture {first:.1f} s after the start. Everything is stopped.")
    console.print(f"The poster: {poster(paths)}, its pictures: {OUTPUT}/")
    return 0 if all(verdicts) else 1


def _report(tasks: Sequence[DemoTask], paths: Sequence[Path], verdicts: Sequence[bool]) -> None:
    table = Table("picture", "sent by", "as", "took", "as asked")
    # Not strict: the last task is the enlarging, which has no picture of its own.
    for task, path, verdict in zip(tasks, paths, verdicts, strict=False):
        took = task.times["completed"] - task.times["queued"]
        table.add_row(
            path.name,
            task.way,
            task.tasktype,
            f"{took:.2f} s",
            "yes" if verdict else f"NO: {judge(Image.open(path))}",
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
