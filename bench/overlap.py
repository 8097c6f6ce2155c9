"""Measure how busy ingest and a replica keep a GPU, and what they add to one task: `make bench`.

The `fake` runtime holds a simulated GPU for T ms a task; every AWS call and every input link takes
a delay more. First a backlog is worked off (busy share of the GPU, gaps between tasks), then tasks
go one at a time (publication to notification, less T). CPU and memory are those of the platform's
own processes; Ray's daemons are reported apart.
"""

import base64
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer
import yaml

from bench.delay import delayed
from bench.report import OUT, Amount, Count, Out, report
from samples.local import LocalPlatform, running
from serve_app.local.emulator import EmbeddedAws

RUNTIME = "bench"
PICTURE_BYTES = 430_000
WARM = 5
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
Backlog = Annotated[int, typer.Option(min=3)]
"""Number of tasks with two gaps at least between them."""
_LATE = 120.0
OURS = ("ingest", "ingress", "replica")
_PARTS = (
    ("ServeReplica:atelier:Ingest", "ingest"),
    ("ServeReplica:atelier:Ingress", "ingress"),
    ("ServeReplica", "replica"),
    ("ServeController", "controller"),
    ("ProxyActor", "proxy"),
    ("gcs_server", "gcs"),
    ("dashboard", "dashboard"),
    ("DashboardAgent", "dashboard"),
    ("log_monitor", "log monitor"),
    ("raylet", "raylet"),
)
"""Marks of command lines, and the part that a process with one is; the first mark counts."""
PARTS = tuple(dict.fromkeys((*(part for _, part in _PARTS), "other")))
"""Parts of a platform and its Ray, ours first."""


@dataclass(frozen=True)
class Setup:
    """Parameters of a measurement: milliseconds of a simulated GPU and AWS, numbers of tasks."""

    gpu_ms: float
    delay_ms: float
    backlog: int
    singles: int


@dataclass(frozen=True)
class Usage:
    """CPU seconds and memory of a group of processes."""

    cpu: float
    pss_mib: float


def publish(platform: LocalPlatform, name: str, link: str | None = None) -> None:
    content: dict[str, Any] = {"prompt": name, "seed": 1}
    if link:
        content["init_images"] = [f"{link}?{name}"]  # a link of its own: no cache may answer
    kind = "image-to-image" if link else "text-to-image"
    metadata = {"id": name, "runtime": RUNTIME, "tasktype": kind, "prefix": "bench"}
    platform.publish({"metadata": metadata, "content": content}, runtime=RUNTIME)


def wait(platform: LocalPlatform, count: int) -> float:
    """Take so many notifications, each of which must say completed; when the last came."""
    end = came = time.monotonic() + _LATE
    while count > 0:
        if time.monotonic() > end:
            sys.exit(f"{count} notifications did not come within {_LATE:g} s")
        for told in platform.notifications(seconds=5):
            came = time.monotonic()
            if told["status"] != "completed":
                sys.exit(f"not completed: {told}")
            count -= 1
    return came


def _config(setup: Setup, folder: Path, link_host: str) -> dict[str, Any]:
    options = {"gpuMs": setup.gpu_ms, "payloadBytes": PICTURE_BYTES, "log": str(folder / "gpu.log")}
    runtime = {"name": RUNTIME, "type": "fake", "gpus": 0, "options": options}
    return {
        "stackName": "bench",
        "checkpoints": str(folder),
        "modelsRuntime": [runtime],
        "inputs": {"allowHosts": [link_host]},
    }


def usage(root: int) -> Mapping[str, Usage]:
    """Sum up CPU seconds and memory of the platform's own processes, and of Ray's daemons.

    Beside these two groups stands each part: the replicas of a deployment, or daemons of a kind.
    """
    groups: dict[str, list[psutil.Process]] = {name: [] for name in ("platform", "ray", *PARTS)}
    for process in psutil.Process(root).children(recursive=True):
        part = part_of(process.cmdline())
        groups["platform" if part in OURS else "ray"].append(process)
        groups[part].append(process)
    return {name: _sum(processes) for name, processes in groups.items()}


def part_of(command: Sequence[str]) -> str:
    """Name the part of the platform that a process is, by its command line."""
    # Ray names a worker's process after the actor in it: the replicas of all deployments. The
    # raylet's arguments name other programs.
    program = command[0] if command else ""
    line = program if "raylet" in program else " ".join(command)
    return next((part for mark, part in _PARTS if mark in line), "other")


def _sum(processes: Sequence[psutil.Process]) -> Usage:
    cpu = sum(sum(p.cpu_times()[:2]) for p in processes)  # user and system
    # PSS, for Ray's workers share much of their memory, which would count once for each.
    return Usage(cpu, sum(p.memory_full_info().pss for p in processes) / 2**20)


@dataclass(frozen=True)
class Line:
    """A platform that has run some tasks, an input link, and the log of its simulated GPU."""

    platform: LocalPlatform
    link: str
    log: Path


def backlog(setup: Setup, line: Line) -> dict[str, Any]:
    """Publish all at once; the GPU's own log says how it was kept."""
    platform, link, log = line.platform, line.link, line.log
    skip = len(_intervals(log))  # tasks that warmed it up
    before = usage(platform.pid)
    for number in range(setup.backlog):
        publish(platform, f"backlog-{number}", link if number % 2 else None)
    wait(platform, setup.backlog)
    after = usage(platform.pid)
    spans = _intervals(log)[skip:]
    gaps = [(b[0] - a[1]) * 1000 for a, b in pairwise(spans)]
    share = sum(end - start for start, end in spans) / (spans[-1][1] - spans[0][0])
    return {
        "gpu_busy": round(share, 4),
        "gap_mean_ms": round(statistics.mean(gaps), 2),
        "gap_p95_ms": round(statistics.quantiles(gaps, n=20)[-1], 2),
        "tasks_per_s": round(len(spans) / (spans[-1][1] - spans[0][0]), 2),
        "cpu_ms_per_task": _per_task(before, after, "platform", setup.backlog),
        "ray_cpu_ms_per_task": _per_task(before, after, "ray", setup.backlog),
        **{
            f"cpu_ms_per_task, {part}": _per_task(before, after, part, setup.backlog)
            for part in PARTS
        },
        "platform_pss_mib": round(after["platform"].pss_mib),
        "ray_pss_mib": round(after["ray"].pss_mib),
    }


def _per_task(
    before: Mapping[str, Usage], after: Mapping[str, Usage], group: str, tasks: int
) -> float:
    return round((after[group].cpu - before[group].cpu) * 1000 / tasks, 1)


def _intervals(log: Path) -> list[tuple[float, float]]:
    lines = log.read_text().splitlines() if log.exists() else []
    told = [json.loads(line) for line in lines]
    # Without loads of checkpoints, which the log has, too.
    return sorted((one["start"], one["end"]) for one in told if "task" in one)


def singles(setup: Setup, platform: LocalPlatform) -> dict[str, Any]:
    """Send one task at a time, and measure what is added to the GPU's own time."""
    added = []
    for number in range(setup.singles):
        began = time.monotonic()
        publish(platform, f"single-{number}")
        added.append((wait(platform, 1) - began) * 1000 - setup.gpu_ms)
    return {
        "added_p50_ms": round(statistics.median(added), 1),
        "added_min_ms": round(min(added), 1),
        "added_max_ms": round(max(added), 1),
    }


class Picture(BaseHTTPRequestHandler):
    """Answers every request with one small PNG."""

    # The default, 1.0, closes after each answer, and a new connection costs one delay more.
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", str(len(PNG)))
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def pictures() -> Iterator[int]:
    """The port of a server of input pictures."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Picture) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def started(setup: Setup, beside: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """Run a platform, warmed up, while the block runs.

    ``beside``: a configuration of which it has the runtimes and the other settings as well.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        aws = stack.enter_context(EmbeddedAws(port=0))
        delay = setup.delay_ms / 1000
        far_aws = stack.enter_context(delayed(aws.port, delay))
        far_pictures = stack.enter_context(delayed(stack.enter_context(pictures()), delay))
        link = f"http://127.0.0.1:{far_pictures}/input.png"
        config = folder / "config.yaml"
        ours, more = _config(setup, folder, urlsplit(link).netloc), beside or {}
        runtimes = [*ours["modelsRuntime"], *more.get("modelsRuntime", ())]
        config.write_text(yaml.safe_dump({**more, **ours, "modelsRuntime": runtimes}))
        far = {**aws.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{far_aws}"}
        # The load goes straight to the embedded AWS: only the platform's own calls are far away.
        platform = stack.enter_context(running(config, environment=far, aws_endpoint=aws.endpoint))
        for number in range(WARM):  # connections and code paths, as in a worker that has run
            publish(platform, f"warm-{number}", link if number % 2 else None)
        wait(platform, WARM)
        yield Line(platform, link, folder / "gpu.log")


def measure(setup: Setup, line: Line) -> dict[str, Any]:
    return backlog(setup, line) | singles(setup, line.platform)


def tell(setup: Setup, figures: Mapping[str, Any], out: Path) -> None:
    """Print the figures, and keep them in a folder."""
    path = out / f"overlap-{setup.gpu_ms:g}-{setup.delay_ms:g}.json"
    report(path, asdict(setup), figures, ("figure", "value"), figures.items())


def main(
    *,
    gpu_ms: Amount = 200,
    delay_ms: Amount = 20,
    backlog: Backlog = 50,
    singles: Count = 20,
    out: Out = OUT,
) -> None:
    """Measure how busy the line keeps a GPU, and what it adds to one task."""
    setup = Setup(gpu_ms, delay_ms, backlog, singles)
    with started(setup) as line:
        tell(setup, measure(setup, line), out)


if __name__ == "__main__":
    typer.run(main)
