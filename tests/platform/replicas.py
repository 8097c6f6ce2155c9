"""Two replicas with a small backend each, on a Ray of their own, for as long as input is open.

A line of input is a task's content; a line of output says how it ended.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray
from ray import serve

from deployments.adapter import RuntimeSpec
from deployments.deploy import deploy
from deployments.replica import Replica
from deployments.routing import Need
from deployments.routing.requests import RoutingRequest
from ingest.memory import MemoryObjects
from models.settings.groups import Runtime, Tasks
from models.task import Kind, Task
from tests.deployments.small_adapter import SmallAdapter, options
from tests.deployments.test_replica import Links
from tests.platform.small_serve import say, start

RUNTIME = {"name": "small", "type": "small", "gpus": 0, "cpus": 0.1, "replicas": 2}


async def replica(given: Any) -> Replica:
    adapter = SmallAdapter(RuntimeSpec(name="small", options=given))
    await adapter.ready()
    objects = MemoryObjects()
    return Replica(adapter=adapter, inputs=Links(), objects=objects, output="s3://o", deadline=60)


def run(handle: Any, line: str) -> None:
    name = uuid4().hex
    kind = Kind.TEXT_TO_IMAGE
    task = Task(submission=name, id=name, runtime="small", kind=kind, content=json.loads(line))
    request = RoutingRequest(name, Need(()))
    try:
        *_, (*_, report) = handle.remote(task, 1, request)  # the last of the last bundle
        say(status=report.status, replica=report.replica)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the test is told
        say(error=type(exc).__name__)


def main(home: Path) -> None:
    start(home)
    make = partial(replica, options(memoryMib=150, environment={"SLOWLY": f"{home}/slowly"}))
    runtime = Runtime.read(RUNTIME, under="runtime")
    application = deploy(
        runtime,
        make,
        scaling=runtime.scaling.bounded(2, 2),
        tasks=Tasks(drainSeconds=5),
        turns_resources={"beside": 1},
    )
    handle = serve.run(application, name="small", route_prefix=None)
    with ThreadPoolExecutor() as pool:
        say(ready=True)
        for line in sys.stdin:
            pool.submit(run, handle.options(method_name="run", stream=True), line)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
