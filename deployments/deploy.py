"""A runtime as a Serve deployment: how many replicas, and what each of them gets."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib import import_module
from typing import Any

import ray
from ray import serve
from ray.serve import Application

from deployments.replica import Replica
from models.progress import Progress
from models.report import Report
from models.settings import Runtime
from models.task import Task

_LOOPBACK = "127.0.0.1"

MakeReplica = Callable[[], Awaitable[Replica]]


class ServedReplica:
    """A replica under Serve: constructed means ready to run a task."""

    async def __init__(self, make: MakeReplica) -> None:  # type: ignore[misc] # Serve awaits it
        keep_to_loopback()
        self.replica = await make()
        self.replica.name = serve.get_replica_context().replica_id.unique_id

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        async for said in self.replica.run(task, attempt):
            yield said

    async def check_health(self) -> None:
        await self.replica.adapter.check()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        replica = getattr(self, "replica", None)
        if replica is not None:
            await replica.close()


def deploy(runtime: Runtime, make: MakeReplica, *, drain_seconds: float) -> Application:
    """The Serve application of one runtime's replicas."""
    threads = str(max(1, int(runtime.cpus)))  # more threads than cores make torch many times slower
    deployment = serve.deployment(
        ServedReplica,
        name=runtime.name,
        num_replicas=runtime.replicas,
        max_ongoing_requests=runtime.admit,
        ray_actor_options={
            "num_cpus": runtime.cpus,
            "num_gpus": runtime.gpus,
            "runtime_env": {"env_vars": {"OMP_NUM_THREADS": threads}},
        },
        health_check_period_s=5,
        graceful_shutdown_timeout_s=drain_seconds,
        graceful_shutdown_wait_loop_s=0.2,
    )
    return deployment.bind(make)


def keep_to_loopback() -> None:
    """Keep a replica's port for other replicas off the network where Ray is local.

    Serve binds it to every interface and has no setting for that; call before the replica is up.
    """
    if ray.util.get_node_ip_address() != _LOOPBACK:
        return
    serving: Any = import_module("ray.serve._private.replica")
    bind = serving.add_port_to_grpc_server

    def bind_here(server: Any, address: str) -> Any:
        return bind(server, address.replace("[::]", _LOOPBACK))

    serving.add_port_to_grpc_server = bind_here
