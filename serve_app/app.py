# No `from __future__ import annotations` here: Ray reads the annotation of `build` while running.
"""The platform as a Ray Serve application: an ingress, ingest, and replicas of each runtime."""

import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import ray
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve import Application
from ray.serve.config import RequestRouterConfig
from ray.serve.handle import DeploymentHandle

from deployments.autoscaling.ingest_autoscaler import IngestAutoscaler
from deployments.autoscaling.ray_fleet_store import RayFleetStore
from deployments.deploy import ENVIRONMENT, deploy, followed
from deployments.loopback import keep_to_loopback
from deployments.replica import Replica
from deployments.runtimes import described, described_here, kinds_of
from deployments.serving import stop_seconds
from ingest.board import Board
from ingest.loops import Loops
from ingest.places import Places
from ingest.wiring import wire
from models.errors import SettingsError
from models.event import Event
from models.live import Pace
from models.machine import Machine
from models.ports import KeyStore
from models.report import Report
from models.serve_replicas import CPUS, ingest_shutdown_seconds
from models.settings import Runtime, Settings, secrets
from models.settings.checks import check
from models.settings.groups import Ingest as IngestSettings
from models.settings.order import out_of_order
from models.settings.secrets import BoundSettings, KeylessSettings
from models.settings.unused import unused, unused_here
from serve_app.api import api
from serve_app.assembly.front import assemble_front
from serve_app.assembly.workers import adapter, callback_sender, fleet, replica, worker
from serve_app.auth import Keys
from serve_app.handles import ReplicaHandle
from serve_app.ingest_handles import draining, ingest_replicas
from serve_app.ingest_router import IngestRouter
from serve_app.keys_file import FileKeys
from serve_app.logs import log_to
from serve_app.replacement import is_replaced
from serve_app.request_limit import MOST_PROBES
from serve_app.watching.feed import Feed

log = logging.getLogger("ray.serve.atelier.api")

_NO_KEY = (
    "there is no API key, so every request is answered 401; where Ray starts set"
    """ ATELIER_APIKEYS='[{"name": "me", "key": "..."}]'"""
)
_UNFORESEEN = 100
"""Requests that Serve lets in beyond the counted ones: those just refused or just answered."""


class Args(BaseModel):
    """Arguments of a Serve config file: a ``config.yaml``'s path, and settings that override it."""

    model_config = ConfigDict(extra="allow")

    config: Path | None = None
    revision: str | float | None = None
    """Anything, and no setting: Serve compares its own file only, so where just ``config.yaml`` has
    changed, a change of this makes it build the platform anew."""


def build(args: Args) -> Application:
    """Build the platform from the arguments of a Serve config file.

    Raises:
        SettingsError: names each wrong key. It has no context, since Serve logs that, too, and an
            error beneath may quote a secret.
    """
    try:
        settings = Settings.read(args.config, args.model_extra)
        machine = _machine()
        check(settings, machine, described_here).refuse()
        idle = unused_here(settings, machine.gpus, machine.cores) if machine else unused(settings)
        for note in (*idle, *out_of_order(settings)):
            log.warning(note)
        return assemble(settings.on_one_machine(machine.gpus) if machine else settings)
    except SettingsError as exc:
        message = str(exc)
    # Raised within the `except`, it would have the other one as its context.
    raise SettingsError(message)


def assemble(settings: Settings) -> Application:
    """Build the platform from settings that were read.

    Raises:
        SettingsError: a runtime's type or options are wrong.
    """
    keyless, bound = secrets.keyless(settings), secrets.bound(settings)
    for runtime in settings.models_runtime:  # a wrong type or option is told now, not by a replica
        adapter(settings, runtime)
    runtimes = {
        runtime.name: deploy(
            runtime,
            partial(_replica, keyless, runtime),
            scaling=settings.scaling_of(runtime),
            tasks=settings.tasks,
            turns_resources=settings.ingress.resources,
        )
        for runtime in settings.models_runtime
    }
    front, ingest = settings.ingress, settings.ingest
    ingest_deployment = serve.deployment(
        Ingest,
        name="Ingest",
        **_number_of(ingest, settings),
        # Where a newer version replaces it, what it has begun ends, as in a replica that goes.
        graceful_shutdown_timeout_s=stop_seconds(settings.tasks)
        + ingest_shutdown_seconds(settings.tasks.drain_seconds),
        # Serve sleeps so long before it first looks whether all is done; 2 s by default.
        graceful_shutdown_wait_loop_s=0.2,
        max_ongoing_requests=1000,  # an ingress replica follows with one, and calls with a few more
        request_router_config=RequestRouterConfig(request_router_class=IngestRouter),
        **_cpu_options({**front.resources, **ingest.resources}),
    ).bind(bound, runtimes)
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name="Ingress",
        num_replicas=front.replicas,
        # More than the application itself lets in, so that nobody waits in Serve's own queue.
        max_ongoing_requests=settings.limits.requests + MOST_PROBES + _UNFORESEEN,
        **_cpu_options(front.resources),
    )
    return ingress.bind(bound, ingest_deployment)


def _number_of(ingest: IngestSettings, settings: Settings) -> Mapping[str, Any]:
    """Return the options of a deployment that has a fixed number of replicas, or a range."""
    if ingest.least == ingest.most:
        return {"num_replicas": ingest.least}
    arguments = {
        "runtimes": [runtime.name for runtime in settings.models_runtime],
        "lease_seconds": settings.tasks.lease_seconds,
        "least": ingest.least,
        "most": ingest.most,
    }
    autoscaling = followed(ingest.least, ingest.most, IngestAutoscaler, arguments)
    return {"autoscaling_config": autoscaling}


def _cpu_options(resources: Mapping[str, float]) -> Mapping[str, Any]:
    """Return the options of a deployment whose replicas need no GPU."""
    return {
        "ray_actor_options": {
            "num_cpus": float(CPUS),
            "resources": dict(resources),
            "runtime_env": {"env_vars": dict(ENVIRONMENT)},
        },
        "health_check_period_s": 5,  # 10 by default: so long a loop that ended goes unnoticed
        "health_check_timeout_s": 10,  # 30 by default; three such checks are one that stands still
    }


def _machine() -> Machine | None:
    """Describe this machine if it alone runs everything; None if there may be other nodes."""
    pods = "KUBERNETES_SERVICE_HOST" in os.environ
    autoscaled = (Path.home() / "ray_bootstrap_config.yaml").exists()  # as `ray up` leaves it
    if pods or autoscaled or not ray.is_initialized():
        return None
    alive = [node for node in ray.nodes() if node["Alive"]]
    if len(alive) != 1:
        return None
    return Machine.of_ray(alive[0]["Resources"])


class Ingress:
    """Replica of the HTTP APIs; bound to ingest, so that one application deploys both."""

    def __init__(self, bound: BoundSettings, ingest: DeploymentHandle) -> None:
        keep_to_loopback()
        settings = secrets.completed(bound)
        log_to(settings.log_file)
        self.ports = wire(settings)
        self.front = assemble_front(
            settings,
            self.ports,
            Feed(ingest_replicas(ingest), self.ports.ledger),
            keys=_keys(settings, self.ports.keys),
            kinds_of_type=kinds_of,
            describe=described,
        )

    def __serve_build_asgi_app__(self) -> FastAPI:  # Serve's own hook
        return api(self.front)

    async def __del__(self) -> None:
        if hasattr(self, "front"):  # Python deletes what failed in its constructor, too
            await self.front.feed.close()
            await self.ports.close()


class Ingest:
    """Replica of ingest: a board of the tasks that it has leased, and the loops that share it.

    It is no `Board` itself: Serve may run a deployment's plain methods in threads.
    """

    async def __init__(  # type: ignore[misc] # Serve awaits it, inside the loop of the workers
        self, bound: BoundSettings, runtimes: Mapping[str, DeploymentHandle]
    ) -> None:
        keep_to_loopback()
        settings = secrets.completed(bound)
        log_to(settings.log_file)
        self.drain_seconds = settings.tasks.drain_seconds
        self.ports = wire(settings)
        self.board = Board()
        places = {
            runtime.name: Places(
                ReplicaHandle(runtimes[runtime.name], adapter(settings, runtime).checkpoints)
            )
            for runtime in settings.models_runtime
        }
        workers = {
            runtime.name: worker(settings, runtime, self.ports, self.board, places[runtime.name])
            for runtime in settings.models_runtime
        }
        context = serve.get_replica_context()
        self.application, self.name = context.app_name, context.replica_id.unique_id
        store = RayFleetStore(self.application)
        self.loops = Loops(
            {
                **workers,
                settings.names.callback_calls: callback_sender(settings, self.ports),
                "the fleet": fleet(settings, workers, places, self.board, store, ingest=self.name),
            }
        )

    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        async with aclosing(self.board.follow(follower)) as stream:
            async for events in stream:
                yield events

    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        return await self.board.watch(follower, more, no_more)

    async def stop(self, report: Report) -> None:
        await self.board.stop(report)

    async def paces(self) -> Mapping[str, Pace]:
        return await self.board.paces()

    async def drains(self) -> bool:
        return self.loops.draining

    async def check_health(self) -> None:
        self.loops.check_health()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "loops"):
            async with draining(self.application, self.name):
                # In this order: handing back needs the connections that the ports hold.
                await self.loops.drain(self.drain_seconds, partial(is_replaced, self.application))
            await self.ports.close()


def _keys(settings: Settings, table: KeyStore) -> Keys:
    """Gather the API keys of the settings and the stores; log a warning if there is none."""
    file = settings.api_keys_file
    files = [FileKeys(file)] if file else []
    keys = Keys(settings.api_keys, settings.gateway.throttle, [table, *files])
    if not (keys.keys or any(each.is_there for each in files)):
        log.warning(_NO_KEY)
    return keys


async def _replica(settings: KeylessSettings, runtime: Runtime) -> Replica:
    log_to(settings.log_file)
    return await replica(settings, runtime, wire(settings).objects)
