"""The same tasks on replicas of Ray Serve, whose GPUs are simulated."""

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.handle import DeploymentHandle

from bench.routed.outcome import Routed, Setup
from bench.simulation.traces import Task as Sent, Tasks
from deployments.adapter import RuntimeSpec
from deployments.deploy import ENVIRONMENT, deploy
from deployments.inputs.fetch import Inputs
from deployments.replica import Replica
from deployments.runtimes.fake import FakeAdapter
from ingest.memory.objects import MemoryObjects
from ingest.places import Places
from models.report import Report, Stage, Status
from models.settings.groups import Inputs as Limits, Runtime, Tasks as Rules
from models.settings.scaling import BoundedScaling
from models.task import Kind, Task
from serve_app.handles import ReplicaHandle

_RUNTIME = "routed"
_OUTPUT = "s3://bench"
DEFAULT = RequestRouterConfig()
"""Serve's own router."""
OURS = None
"""Router of the platform's deployments."""


@contextmanager
def small_ray(setup: Setup) -> Iterator[None]:
    """Run a Ray of this machine on loopback, and Serve without HTTP, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        ray.init(
            address="local",
            num_cpus=setup.replicas + 4,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=home,
            log_to_driver=False,
            runtime_env={"env_vars": dict(ENVIRONMENT)},
        )
        try:
            serve.start(proxy_location="Disabled")
            yield
            serve.shutdown()
        finally:
            ray.shutdown()


@dataclass(frozen=True)
class _Run:
    """Run of one task."""

    wait: float
    ended: float


def measured(
    tasks: Tasks, setup: Setup, router: RequestRouterConfig | None, ingests: int
) -> Routed:
    """Send the tasks by so many ingests, each with a share of them and a router of its own."""
    with tempfile.TemporaryDirectory(prefix="routed-") as folder:
        log = Path(folder) / "gpu.log"
        handle = serve.run(_application(setup, router, log), name="routed", route_prefix=None)
        try:
            capacity = (setup.replicas * setup.admit + setup.lookahead) // ingests
            senders = [
                ray.remote(num_cpus=0)(_Sender).remote(handle, capacity) for _ in range(ingests)
            ]
            ray.get([sender.warm.remote(setup.replicas) for sender in senders])
            begin = time.time() + 1
            runs: Sequence[Sequence[_Run]] = ray.get(
                [
                    sender.send.remote(tasks[number::ingests], begin)
                    for number, sender in enumerate(senders)
                ]
            )
            for sender in senders:
                ray.kill(sender)
        finally:
            serve.delete("routed")
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    waits = [0.0] * len(tasks)
    for number, each in enumerate(runs):
        waits[number::ingests] = [run.wait for run in each]
    seconds = max(run.ended for each in runs for run in each) - tasks[0].sent
    return Routed(tasks, waits, sum("load" in line for line in lines), seconds)


def _runtime(setup: Setup, log: Path) -> Runtime:
    options: Mapping[str, Any] = {
        "gpuMs": setup.seconds * 1000,
        "loadMs": setup.load_seconds * 1000,
        "log": str(log),
    }
    return Runtime.model_validate(
        {
            "name": _RUNTIME,
            "type": "fake",
            "dynamicModel": True,
            "admit": setup.admit,
            "cpus": 0.1,
            "gpus": 0,
            "options": options,
        }
    )


def _application(setup: Setup, router: RequestRouterConfig | None, log: Path) -> serve.Application:
    runtime = _runtime(setup, log)
    bounds = {"minReplicas": setup.replicas, "maxReplicas": setup.replicas}
    spec = RuntimeSpec(name=runtime.name, dynamic=True, options=runtime.options)

    async def make() -> Replica:
        objects = MemoryObjects()
        return Replica(
            adapter=FakeAdapter(spec),
            inputs=Inputs(Limits(), objects, frozenset()),
            objects=objects,
            output=_OUTPUT,
            deadline=600,
        )

    scaling = BoundedScaling.model_validate(bounds)
    return deploy(runtime, make, scaling=scaling, tasks=Rules(), router=router)


class _Sender:
    """Ingest that hands its tasks to the replicas, as many at once as it would lease."""

    def __init__(self, handle: DeploymentHandle, capacity: int) -> None:
        adapter = FakeAdapter(RuntimeSpec(name=_RUNTIME, dynamic=True))
        self._places = Places(ReplicaHandle(handle, adapter.checkpoints))
        self._places.resize(capacity)

    async def warm(self, tasks: int) -> None:
        """Open the connections to the replicas by tasks that need no file."""
        sent = [Sent(0.0, 0.0) for _ in range(tasks)]
        await asyncio.gather(*(self._run(each, f"warm {n}", {}, 0) for n, each in enumerate(sent)))

    async def send(self, tasks: Sequence[Sent], begin: float) -> list[_Run]:
        """Send each task at its moment after the begin, which is in seconds since 1970."""
        runs = [
            self._run(each, f"task {n}", {"checkpoint": f"{each.checkpoint}.safetensors"}, begin)
            for n, each in enumerate(tasks)
        ]
        return await asyncio.gather(*runs)

    async def _run(self, sent: Sent, name: str, content: Mapping[str, Any], begin: float) -> _Run:
        await asyncio.sleep(max(begin + sent.sent - time.time(), 0))
        task = Task(
            id=name,
            runtime=_RUNTIME,
            kind=Kind.TEXT_TO_IMAGE,
            content=content,
            submission=name,
        )
        began = 0.0
        async with aclosing(self._places.run(task, 1)) as updates:
            async for update in updates:
                match update:
                    case Stage.RUNNING:
                        began = time.time()
                    case Report() if update.status is not Status.COMPLETED:
                        raise RuntimeError(f"{name}: {update.failure}")
        return _Run(began - begin - sent.sent, time.time() - begin)
