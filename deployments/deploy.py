"""A runtime as a Serve deployment: how many replicas, what each gets, and their upkeep."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve import Application

from deployments.replica import Replica
from deployments.turns import MemoryTurns, Turns
from deployments.upkeep import Upkeep
from models.errors import RuntimeUnavailable
from models.progress import Progress
from models.report import Report
from models.settings.groups import Runtime
from models.task import Task

log = logging.getLogger("ray.serve.atelier.replica")

_LOOPBACK = "127.0.0.1"
_LAST_WORDS_SECONDS = 0.2  # in which the failure itself reaches the caller
_ASK_SECONDS = 5.0

ONE_LOOP: Mapping[str, str] = {
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
}
"""The environment of every deployment: its requests, its router and Serve share one event loop.

Ours never block theirs, so the threads that Serve has between them by default only cost: a gap
between two tasks of 1.8 to 3.6 ms instead of 1.2 (docs/performance.md).
"""

MakeReplica = Callable[[], Awaitable[Replica]]


class ServedReplica:
    """A replica under Serve: constructed means ready to run a task."""

    async def __init__(  # type: ignore[misc] # Serve awaits it
        self, make: MakeReplica, beside: Mapping[str, float]
    ) -> None:
        keep_to_loopback()
        name, self.turns = _place(beside)
        self.leaving = False
        await asyncio.sleep(await self.turns.pause())  # Serve tries again at once, and for ever
        try:
            self.replica = await make()
        except Exception:
            await self.turns.failed()
            raise
        self.replica.name = name
        self.upkeep = Upkeep(self.replica, self.turns)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        if self.leaving:  # refused at once, it would be back at once, and spend all its attempts
            await asyncio.Event().wait()
        try:
            async for said in self.replica.run(task, attempt):
                yield said
        except RuntimeUnavailable:
            with suppress(RuntimeUnavailable):
                await self._check()
            raise

    async def check_health(self) -> None:
        await self._check()
        await self.upkeep.renew_if_due()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "upkeep"):
            await self.upkeep.close()
            await self.replica.close()

    async def _check(self) -> None:
        """Leave if no further task can be run.

        Serve replaces a replica that fails three checks in a row; until then it would go on
        sending tasks here, and each would spend its attempts.
        """
        try:
            await self.upkeep.check()
        except RuntimeUnavailable as exc:
            if not self.leaving and ray.is_initialized():  # it is not in Serve's local testing
                self.leaving = True
                log.exception("replica_leaves", extra={"why": str(exc)})
                await self.turns.failed()
                asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, _leave)
            raise


class SharedTurns(Turns):
    """The turns of all replicas of a deployment: an actor that the first who needs it makes.

    Without it (its node may just be gone) nobody has a turn, and nothing waits.
    """

    def __init__(self, name: str, resources: Mapping[str, float]) -> None:
        self.name = f"atelier-turns-{name}"
        self.resources = dict(resources)

    async def take(self, replica: str) -> bool:
        return await self._ask("take", replica) is True

    async def give_back(self, replica: str) -> None:
        await self._ask("give_back", replica)

    async def failed(self) -> None:
        await self._ask("failed")

    async def pause(self) -> float:
        if await asyncio.to_thread(self._found) is None:
            return 0.0
        return float(await self._ask("pause") or 0.0)

    async def _ask(self, verb: str, *args: str) -> Any:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                actor = await asyncio.to_thread(self._made)
                return await getattr(actor, verb).remote(*args)
        except (RayError, TimeoutError) as exc:
            log.warning("turns_unavailable", extra={"why": type(exc).__name__})
            return None

    def _made(self) -> Any:
        # Detached: else it ends with the replica that made it, often the one that just failed.
        options = {"lifetime": "detached", "get_if_exists": True, "num_cpus": 0}
        actor = ray.remote(MemoryTurns).options(
            name=self.name, namespace="atelier", resources=self.resources, **options
        )
        return actor.remote()

    def _found(self) -> Any:
        try:
            return ray.get_actor(self.name, namespace="atelier")
        except ValueError:
            return None


def deploy(
    runtime: Runtime,
    make: MakeReplica,
    *,
    drain_seconds: float,
    beside: Mapping[str, float] | None = None,
) -> Application:
    """The Serve application of one runtime's replicas.

    ``beside``: Ray's own resources of nodes that may have what the replicas share. Without any, it
    may be on a GPU node, which is then never idle.
    """
    threads = str(max(1, int(runtime.cpus)))  # more threads than cores make torch many times slower
    deployment = serve.deployment(
        ServedReplica,
        name=runtime.name,
        num_replicas=runtime.replicas,
        max_ongoing_requests=runtime.admit,
        ray_actor_options={
            "num_cpus": runtime.cpus,
            "num_gpus": runtime.gpus,
            "resources": dict(runtime.resources),
            "runtime_env": {"env_vars": {**ONE_LOOP, "OMP_NUM_THREADS": threads}},
        },
        health_check_period_s=5,
        graceful_shutdown_timeout_s=drain_seconds,
        graceful_shutdown_wait_loop_s=0.2,
    )
    return deployment.bind(make, beside or {})


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


def _place(beside: Mapping[str, float]) -> tuple[str, Turns]:
    """The name of this replica, and the turns that it shares with others of its deployment."""
    if not ray.is_initialized():  # Serve's local testing: there is but this one
        return "local", MemoryTurns()
    context = serve.get_replica_context()
    turns = SharedTurns(f"{context.app_name}-{context.deployment}", beside)
    return context.replica_id.unique_id, turns


def _leave() -> None:
    """End this process: the handles learn at once that it is gone, and Serve replaces it."""
    ray.kill(ray.get_runtime_context().current_actor)
