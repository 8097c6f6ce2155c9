"""Measure what the HTTP API bears: `make bench`.

Submissions a second and their latency, on each API; the bare `/healthz` of the same replica in the
same run is what HTTP through Ray Serve costs at all. Then the same beside clients that each hold a
stream of a queued task, as a share of what came without. Then clients watch by SSE, first a queued
task each, then all of them one running task: what that costs the replica in memory and CPU, and how
far apart they are told of one event. The one runtime is held, so the GPU's side costs nothing here.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import psutil
import typer
import yaml
from rich.progress import track

from bench.report import OUT, Count, Out, report
from bench.watchers import (
    LATE,
    Figures,
    Watcher,
    cpu_seconds,
    idle_cost,
    told_cost,
    watching,
)
from samples.local import LocalPlatform, running

HELD, SHOWN = "held", "shown"
STEPS = 40
_WARM = 50
_HOUR = 3_600


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Measured configuration."""

    count: int
    """Submissions on each API."""
    at_once: int
    held: int
    """Streams that are held beside submissions."""
    watchers: int
    seconds: float
    """Seconds of silence on the watched tasks, and for which the one runs that all watch."""


def config(folder: Path, setup: Setup) -> dict[str, Any]:
    """A runtime that never gets done, one whose single task shows progress, and no throttle."""
    forever = {"gpuMs": _HOUR * 1000}
    shows = {"gpuMs": setup.seconds * 2 * 1000, "steps": STEPS}
    streams = setup.held + setup.watchers + 1
    return {
        "stackName": "bench",
        "checkpoints": str(folder),
        "modelsRuntime": [
            {"name": HELD, "type": "fake", "gpus": 0, "cpus": 0.2, "options": forever},
            {"name": SHOWN, "type": "fake", "gpus": 0, "cpus": 0.2, "options": shows},
        ],
        "APIGW": {"throttle": {"rateLimit": 1e6, "burstLimit": 1_000_000}},
        "limits": {"streams": {"perKey": streams, "inAll": streams}},
        "tasks": {"deadlineSeconds": _HOUR},
        "alarms": {"starvedMinutes": _HOUR // 60 + 1},  # settings demand more than the deadline
    }


def v1alpha2(name: str) -> tuple[str, Any]:
    metadata = {"id": name, "runtime": HELD, "tasktype": "text-to-image", "prefix": "bench"}
    return "/v1alpha2", {"task": {"metadata": metadata, "content": {"prompt": name}}}


def v1(name: str, runtime: str = HELD) -> tuple[str, Any]:
    kind = {"kind": "text-to-image", "content": {"prompt": name}}
    return "/v1/tasks", {"id": name, "runtime": runtime, **kind}


async def load(
    send: Callable[[int], Awaitable[httpx.Response]], count: int, at_once: int
) -> Figures:
    """Send ``count`` requests, a few at once; return how many a second, and how long one takes."""
    took: list[float] = []
    # Shared by all senders: each takes the next number, so none is idle while others have work.
    numbers = iter(range(count))

    async def sender() -> None:
        for number in numbers:
            began = time.perf_counter()
            response = await send(number)
            took.append((time.perf_counter() - began) * 1000)
            if response.is_error:
                sys.exit(f"refused: {response.status_code} {response.text}")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(sender())
    seconds = time.perf_counter() - began
    p99 = statistics.quantiles(took, n=100)[-1]
    return {
        "per_s": round(count / seconds, 1),
        "p50_ms": round(statistics.median(took), 1),
        "p99_ms": round(p99, 1),
    }


async def submissions(
    client: httpx.AsyncClient, front: psutil.Process, setup: Setup, what: str
) -> dict[str, Figures]:
    """Measure each way of submitting after the other, warmed up.

    ``cpu_ms``: CPU milliseconds of the front replica for one request.
    """

    async def healthz(_: int) -> httpx.Response:
        return await client.get("/healthz")

    def posting(made: Callable[[str], tuple[str, Any]], name: str) -> Any:
        async def post(number: int) -> httpx.Response:
            path, body = made(f"{name}-{number}")
            return await client.post(path, json=body)

        return post

    ways = {
        "healthz": healthz,
        "v1alpha2": posting(v1alpha2, "alpha"),
        "v1": posting(v1, "native"),
    }
    figures = {}
    for name, send in track(ways.items(), what):
        await load(send, min(_WARM, setup.count), setup.at_once)
        before = cpu_seconds(front)
        figures[name] = await load(send, setup.count, setup.at_once)
        spent = cpu_seconds(front) - before
        figures[name]["cpu_ms"] = round(spent * 1000 / setup.count, 2)
    return figures


async def beside_streams(
    client: httpx.AsyncClient, streams: httpx.AsyncClient, front: psutil.Process, setup: Setup
) -> dict[str, Figures]:
    """Submissions alone, beside streams that are held, and alone again; the ratio of the two."""
    before = await submissions(client, front, setup, "submissions")
    held = await _queued(client, "kept", setup.held)
    async with watching(streams, held):
        beside = await submissions(client, front, setup, f"beside {setup.held} streams")
    after = await submissions(client, front, setup, "alone again")
    for name, figures in beside.items():
        # Of before and after, so that a machine that got slower meanwhile does not count.
        alone = statistics.mean([before[name]["per_s"], after[name]["per_s"]])
        figures["ratio"] = round(figures["per_s"] / alone, 2)
    named = {f"{name} beside {setup.held} streams": of for name, of in beside.items()}
    return before | named


async def watchers(
    client: httpx.AsyncClient, front: psutil.Process, setup: Setup
) -> dict[str, Figures]:
    """Clients of a task each, and then of one running task."""
    queued = await _queued(client, "queued", setup.watchers)
    idle = await idle_cost(client, front, queued, setup.seconds)
    (view,) = await _submitted(client, [v1("shown", SHOWN)])
    shown = [Watcher(view["submission"], view["id"]) for _ in range(setup.watchers)]
    return {
        f"{setup.watchers} watch a task each": idle,
        f"{setup.watchers} watch one task": await told_cost(client, front, shown),
    }


async def _queued(client: httpx.AsyncClient, name: str, count: int) -> list[Watcher]:
    """Watchers of a queued task each."""
    views = await _submitted(client, [v1(f"{name}-{n}") for n in range(count)])
    return [Watcher(view["submission"], view["id"]) for view in views]


async def _submitted(
    client: httpx.AsyncClient, requests: Sequence[tuple[str, Any]]
) -> list[dict[str, Any]]:
    views = []
    for path, body in requests:
        response = await client.post(path, json=body)
        response.raise_for_status()
        views.append(response.json())
    return views


def _front(platform: LocalPlatform) -> psutil.Process:
    """The process of the ingress replica."""
    found = [
        process
        for process in psutil.Process(platform.pid).children(recursive=True)
        # Ray names a worker's process after the actor in it.
        if "ServeReplica:atelier:Ingress" in " ".join(process.cmdline())
    ]
    return found[0]


async def measure(setup: Setup, platform: LocalPlatform) -> dict[str, Figures]:
    """Measure a platform that has nothing else to do; see `config` for its settings."""
    # A client looks at all of its connections for each request: the held are another's.
    async with _client(platform) as client, _client(platform) as streams:
        front = _front(platform)
        figures = await beside_streams(client, streams, front, setup)
        return figures | await watchers(streams, front, setup)


def _client(platform: LocalPlatform) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=platform.address["url"],
        headers={"x-api-key": platform.address["api_key"]},
        timeout=httpx.Timeout(60, read=LATE),
        limits=httpx.Limits(max_connections=None),  # with httpx's 100 most streams would wait
    )


def main(
    *,
    count: Annotated[int, typer.Option(min=2, help="submissions on each API")] = 1_000,
    at_once: Count = 16,
    held: Annotated[int, typer.Option(min=1, help="streams beside submissions")] = 1_000,
    watchers: Count = 500,
    seconds: Annotated[float, typer.Option(min=0.1, help="of watching")] = 10,
    out: Out = OUT,
) -> None:
    """Measure what the HTTP API bears."""
    setup = Setup(count=count, at_once=at_once, held=held, watchers=watchers, seconds=seconds)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config(Path(folder), setup)))
        with running(path) as platform:
            tell(setup, asyncio.run(measure(setup, platform)), out)


def tell(setup: Setup, figures: Mapping[str, Figures], out: Path) -> None:
    """Print the figures, and keep them in a folder."""
    rows = [(what, name, value) for what, of in figures.items() for name, value in of.items()]
    report(out / "front.json", asdict(setup), figures, ("what", "figure", "value"), rows)


if __name__ == "__main__":
    typer.run(main)
