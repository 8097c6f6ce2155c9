"""What the HTTP front bears: `make bench`.

Submissions a second and their latency, on each API; the bare `/healthz` of the same front in the
same run is what HTTP through Ray Serve costs at all. Then 500 clients watch by SSE, first a queued
task each, then all of them one running task: what that costs the front in memory and CPU, and how
far apart they are told of one event. The one runtime is held, so the GPU's side costs nothing here.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import yaml
from httpx_sse import aconnect_sse
from rich.progress import track

from bench.report import report
from samples.local import Local, running

HELD, SHOWN = "held", "shown"
WARM = 50
STEPS = 40
SHOW_SECONDS = 20
_LATE = 120.0

Figures = dict[str, float]


def config(folder: Path) -> dict[str, Any]:
    """A runtime that never gets done, one whose single task shows progress, and no throttle."""
    forever = {"gpuMs": 3_600_000}
    shows = {"gpuMs": SHOW_SECONDS * 1000, "steps": STEPS}
    return {
        "stackName": "bench",
        "checkpoints": str(folder),
        "modelsRuntime": [
            {"name": HELD, "type": "fake", "gpus": 0, "cpus": 0.2, "options": forever},
            {"name": SHOWN, "type": "fake", "gpus": 0, "cpus": 0.2, "options": shows},
        ],
        "APIGW": {"throttle": {"rateLimit": 1e6, "burstLimit": 1_000_000}},
        "tasks": {"deadlineSeconds": 3_600},
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
    """Send so many, a few at once; how many a second, and how long one takes."""
    took: list[float] = []
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


async def submissions(client: httpx.AsyncClient, count: int, at_once: int) -> dict[str, Figures]:
    """Each way in its turn, warmed up."""

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
    for name, send in track(ways.items(), "submissions"):
        await load(send, WARM, at_once)
        figures[name] = await load(send, count, at_once)
    return figures


@dataclass
class Watcher:
    """One client of a task's events."""

    submission: str
    name: str
    came: dict[str, float] = field(default_factory=dict)
    """When each event came, by its id."""
    kinds: set[str] = field(default_factory=set)

    async def watch(self, client: httpx.AsyncClient) -> None:
        url = f"/v1/tasks/{self.name}/events"
        params = {"submission": self.submission}
        async with aconnect_sse(client, "GET", url, params=params) as source:
            async for event in source.aiter_sse():
                self.came[event.id] = time.perf_counter()
                self.kinds.add(event.event)


@asynccontextmanager
async def watching(client: httpx.AsyncClient, watchers: Sequence[Watcher]) -> Any:
    """All of them, connected and told the first event."""
    tasks = [asyncio.create_task(watcher.watch(client)) for watcher in watchers]
    end = time.monotonic() + _LATE
    try:
        while not all(watcher.came for watcher in watchers):
            if time.monotonic() > end or any(task.done() for task in tasks):
                sys.exit("not all watchers were told a first event")
            await asyncio.sleep(0.05)
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watchers(client: httpx.AsyncClient, there: Local, count: int) -> dict[str, Figures]:
    front = _front(there.pid)
    before = _pss(front)
    queued = [
        Watcher(view["submission"], view["id"])
        for view in await _submitted(client, [v1(f"queued-{n}") for n in range(count)])
    ]
    async with watching(client, queued):
        cpu = sum(front.cpu_times()[:2])
        await asyncio.sleep(10)
        idle = {
            "kib_per_watcher": round((_pss(front) - before) / count),
            "cpu_percent": round((sum(front.cpu_times()[:2]) - cpu) * 10, 1),
        }
    (view,) = await _submitted(client, [v1("shown", SHOWN)])
    shown = [Watcher(view["submission"], view["id"]) for _ in range(count)]
    async with watching(client, shown) as tasks:
        cpu, since = sum(front.cpu_times()[:2]), time.perf_counter()
        await asyncio.wait(tasks, timeout=_LATE)
        used = sum(front.cpu_times()[:2]) - cpu
    if not all("end" in watcher.kinds for watcher in shown):
        sys.exit("not all watchers were told the end")
    return {
        f"{count} watch a task each": idle,
        f"{count} watch one task": _spread(shown, used, since),
    }


def _spread(shown: Sequence[Watcher], used: float, since: float) -> Figures:
    """How far apart the first and the last were told of one event, once all were there."""
    common = set.intersection(*(set(watcher.came) for watcher in shown))
    ids = [i for i in common if min(watcher.came[i] for watcher in shown) > since]
    spreads = [_between([watcher.came[i] for watcher in shown]) * 1000 for i in ids]
    return {
        "events_told_to_all": len(ids),
        "spread_p50_ms": round(statistics.median(spreads), 1),
        "spread_max_ms": round(max(spreads), 1),
        "cpu_ms_per_event_told": round(used * 1000 / sum(len(w.came) for w in shown), 3),
    }


def _between(times: Sequence[float]) -> float:
    return max(times) - min(times)


async def _submitted(
    client: httpx.AsyncClient, requests: Sequence[tuple[str, Any]]
) -> list[dict[str, Any]]:
    views = []
    for path, body in requests:
        response = await client.post(path, json=body)
        response.raise_for_status()
        views.append(response.json())
    return views


def _front(root: int) -> psutil.Process:
    """The process of the ingress replica."""
    found = [
        process
        for process in psutil.Process(root).children(recursive=True)
        if "ServeReplica:atelier:Ingress" in " ".join(process.cmdline())
    ]
    return found[0]


def _pss(process: psutil.Process) -> float:
    """KiB."""
    return float(process.memory_full_info().pss) / 1024


async def measure(count: int, at_once: int, watched: int) -> dict[str, Figures]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config(Path(folder))))
        with running(path) as there:
            limits = httpx.Limits(max_connections=watched + at_once)
            async with httpx.AsyncClient(
                base_url=there.address["url"],
                headers={"x-api-key": there.address["api_key"]},
                timeout=httpx.Timeout(60, read=_LATE),
                limits=limits,
            ) as client:
                figures = await submissions(client, count, at_once)
                return figures | await watchers(client, there, watched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="submissions on each API")
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--watchers", type=int, default=500)
    args = parser.parse_args()
    figures = asyncio.run(measure(args.count, args.at_once, args.watchers))
    rows = [(what, name, value) for what, of in figures.items() for name, value in of.items()]
    report("front", vars(args), figures, ("what", "figure", "value"), rows)


if __name__ == "__main__":
    main()
