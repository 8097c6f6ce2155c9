"""Clients that watch tasks at one ingress replica by server-sent events, and what they cost it."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import psutil
from httpx_sse import aconnect_sse

LATE = 120.0
"""Seconds after which a run that is not done has failed."""

Figures = dict[str, float]


@dataclass
class Watcher:
    """Client of a task's events."""

    submission: str
    name: str
    came: dict[str, float] = field(default_factory=dict)
    """Times at which events came, in seconds of `time.perf_counter`, by the events' ids."""
    kinds: set[str] = field(default_factory=set)

    async def watch(self, client: httpx.AsyncClient) -> None:
        url = f"/v1/tasks/{self.name}/events"
        params = {"submission": self.submission}
        async with aconnect_sse(client, "GET", url, params=params) as source:
            async for event in source.aiter_sse():
                self.came[event.id] = time.perf_counter()
                self.kinds.add(event.event)


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, watchers: Sequence[Watcher]
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Let all of them watch, connected and told the first event."""
    tasks = [asyncio.create_task(watcher.watch(client)) for watcher in watchers]
    end = time.monotonic() + LATE
    try:
        while not all(watcher.came for watcher in watchers):
            # One that is done was refused or cut off, for no watched task ends so early.
            if time.monotonic() > end or any(task.done() for task in tasks):
                sys.exit("not all watchers were told a first event")
            await asyncio.sleep(0.05)
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def idle_cost(
    client: httpx.AsyncClient, front: psutil.Process, watched: Sequence[Watcher], seconds: float
) -> Figures:
    """Memory and CPU that watchers cost the replica while nothing happens to their tasks."""
    before = _pss(front)
    async with watching(client, watched):
        cpu = cpu_seconds(front)
        await asyncio.sleep(seconds)
        return {
            "kib_per_watcher": round((_pss(front) - before) / len(watched)),
            "cpu_percent": round((cpu_seconds(front) - cpu) * 100 / seconds, 1),
        }


async def told_cost(
    client: httpx.AsyncClient, front: psutil.Process, watched: Sequence[Watcher]
) -> Figures:
    """Measure how far apart all watchers of a running task are told, and the CPU per event."""
    async with watching(client, watched) as tasks:
        cpu, since = cpu_seconds(front), time.perf_counter()
        await asyncio.wait(tasks, timeout=LATE)
        used = cpu_seconds(front) - cpu
    if not all("end" in watcher.kinds for watcher in watched):
        sys.exit("not all watchers were told the end")
    return _spread(watched, used, since)


def _spread(shown: Sequence[Watcher], used: float, since: float) -> Figures:
    """Milliseconds between the first and the last client told of an event, once all are there."""
    common = set.intersection(*(set(watcher.came) for watcher in shown))
    ids = [i for i in common if min(watcher.came[i] for watcher in shown) > since]
    times = [[watcher.came[i] for watcher in shown] for i in ids]
    spreads = [(max(of_event) - min(of_event)) * 1000 for of_event in times]
    return {
        "events_told_to_all": len(ids),
        "spread_p50_ms": round(statistics.median(spreads), 1),
        "spread_max_ms": round(max(spreads), 1),
        "cpu_ms_per_event_told": round(used * 1000 / sum(len(w.came) for w in shown), 3),
    }


def cpu_seconds(process: psutil.Process) -> float:
    """Return the seconds of CPU time that a process has spent so far."""
    return float(sum(process.cpu_times()[:2]))


def _pss(process: psutil.Process) -> float:
    """KiB of memory that the process takes, shared pages by its share of them."""
    return float(process.memory_full_info().pss) / 1024
