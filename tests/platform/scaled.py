"""Replicas that follow a demand, on a Ray of their own, for as long as input is open.

A line of input sets the demand, names a task to run, or deploys a new version; lines of output say
what becomes of them, and how many replicas are wanted and run.
"""

import asyncio
import json
import sys
import threading
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import ray
from ray import serve

from deployments.adapter import RuntimeSpec
from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.deploy import deploy
from deployments.replica import Replica
from deployments.runtimes.fake import FakeAdapter
from ingest.memory import MemoryObjects
from models.errors import Unavailable
from models.fleet import Demand, Supply
from models.ports import Runner
from models.report import Report
from models.settings.groups import Runtime, Tasks
from models.task import Kind, Task
from serve_app.handles import ReplicaHandle
from tests.deployments.test_replica import Links
from tests.platform.small_serve import say, start

NAME = "scaled"
RUNTIME = {"name": NAME, "type": "fake", "gpus": 0, "cpus": 0.1, "admit": 2}


async def replica(options: Any, broken: Path) -> Replica:
    """Make a replica; while a file is there, its start fails."""
    if await asyncio.to_thread(broken.exists):
        raise RuntimeError("no such checkpoint: sketch")
    adapter = FakeAdapter(RuntimeSpec(name=NAME, options=options))
    await adapter.ready()
    objects = MemoryObjects()
    return Replica(adapter=adapter, inputs=Links(), objects=objects, output="s3://o", deadline=60)


class Follower:
    """Stands for ingest: tells a demand, and hears the supply."""

    def __init__(self) -> None:
        self.store = RayFleetStore(NAME)
        self.demand = Demand(waiting=0, running=0)

    async def follow(self) -> None:
        said: dict[str, Any] = {}
        with suppress(Unavailable):  # Ray ends
            for beat in count():
                await self.store.write_demand(NAME, "ingest", replace(self.demand, beat=beat))
                supply = await self.store.supply(NAME)
                if supply and said != (said := _told(supply)):
                    say(**said)
                await asyncio.sleep(0.1)


def _told(supply: Supply) -> dict[str, Any]:
    return {
        "wanted": supply.wanted,
        "running": supply.running,
        "phase": supply.phase,
        "obstacle": supply.obstacle,
        "never": supply.never_started,
    }


class Runs:
    """Runs at the replicas, as ingest hands them over."""

    def __init__(self, handle: Runner, gpu_log: Path) -> None:
        self.handle = handle
        self.gpu_log = gpu_log
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str) -> None:
        self.tasks[name] = asyncio.create_task(self._run(name))

    async def stop(self, name: str, after: float) -> None:
        """Stop a run without reading what its replica tells in so many seconds before."""
        time.sleep(after)  # noqa: ASYNC251 - no update shall be read
        self.tasks[name].cancel()

    async def _run(self, name: str) -> None:
        task = Task(submission=name, id=name, runtime=NAME, kind=Kind.TEXT_TO_IMAGE, content={})
        try:
            async with aclosing(self.handle.run(task, 1)) as updates:
                async for update in updates:
                    if isinstance(update, Report):
                        say(task=name, end=update.status, replica=update.replica)
                    elif isinstance(update, str):
                        say(task=name, stage=update)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test is told
            say(task=name, end=type(exc).__name__)
        except asyncio.CancelledError:
            log = self.gpu_log.read_text().splitlines()  # at once: a moment later proves nothing
            say(stopped=name, left_gpu=name in {json.loads(line)["task"] for line in log})
            raise


async def runs_at(handle: Any, gpu_log: Path) -> Runs:
    """Make the runs in the loop that its router shares, as that of ingest does."""
    return Runs(ReplicaHandle(handle, lambda _: ()), gpu_log)


def main(home: Path, scaling: Any, options: Any) -> None:
    start(home)
    gpu_log = home / "gpu.jsonl"
    runtime = Runtime.read({**RUNTIME, "scaling": scaling}, under="runtime")
    application = deploy(
        runtime,
        partial(replica, {**options, "log": str(gpu_log)}, home / "broken"),
        scaling=runtime.scaling.bounded(scaling["minReplicas"], scaling["maxReplicas"]),
        tasks=Tasks(drainSeconds=2, deadlineSeconds=60),
        turns_resources={"beside": 1},
    )
    handle = serve.run(application, name=NAME, route_prefix=None)
    deployed = partial(serve.run, application, name=NAME, route_prefix=None)
    follower = Follower()
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    runs = asyncio.run_coroutine_threadsafe(runs_at(handle, gpu_log), loop).result(60)
    asyncio.run_coroutine_threadsafe(follower.follow(), loop)
    say(ready=True)
    for line in sys.stdin:
        match json.loads(line):
            case {"task": name}:
                asyncio.run_coroutine_threadsafe(runs.start(name), loop)
            case {"stop": name, "after": seconds}:
                asyncio.run_coroutine_threadsafe(runs.stop(name, seconds), loop)
            case {"demand": demand}:
                follower.demand = Demand(**demand)
            case {"deploy": name}:
                try:
                    deployed()
                    say(version=name, deployed=True)
                except RuntimeError:  # how Serve says that no replica of it starts
                    say(version=name, deployed=False)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
