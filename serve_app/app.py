# No `from __future__ import annotations` here: Ray reads the annotation of `build` while running.
"""The one place of assembly: settings to a Serve application of ingress, ingest and runtimes."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from deployments.adapter import Adapter, RuntimeSpec
from deployments.checkpoints import STABLE_DIFFUSION, Checkpoints
from deployments.deploy import deploy, keep_to_loopback
from deployments.inputs import Inputs
from deployments.replica import Replica
from deployments.runtimes import adapter_class
from ingest.actor import Actor
from ingest.board import Board
from ingest.cancel import Cancel
from ingest.courier import Courier
from ingest.envelope import Envelope
from ingest.tell import Tell
from ingest.wiring import Ports, wire
from ingest.worker import Line, Worker
from models.event import Event
from models.parts import Runtime
from models.ports import Live, Pace, Queue
from models.report import Report
from models.settings import Settings
from models.task import Kind
from serve_app.api import api
from serve_app.auth import Keys
from serve_app.handles import Ingests, Replicas
from serve_app.native import Native
from serve_app.native.feed import Feed
from serve_app.submit import Submit
from serve_app.webhook import WebPost

_WRAPPING = 16 * 1024  # what a dialect adds to a client's body: v1alpha1 wraps it in metadata


class Args(BaseModel):
    """The ``args`` of a Serve config file: the path of a ``config.yaml``, and keys that win."""

    model_config = ConfigDict(extra="allow")

    config: Path | None = None


def build(args: Args) -> Application:
    """The platform as a Serve application.

    Raises:
        SettingsError: naming each wrong key.
    """
    return assemble(Settings.read(args.config, args.model_extra))


def assemble(settings: Settings) -> Application:
    """The platform as a Serve application, from settings already read.

    Raises:
        SettingsError: a runtime's type or options are wrong.
    """
    drain = settings.tasks.drain_seconds
    for runtime in settings.models_runtime:  # a wrong type or option is told now, not by a replica
        adapter(settings, runtime)
    runtimes = {
        runtime.name: deploy(runtime, partial(_replica, settings, runtime), drain_seconds=drain)
        for runtime in settings.models_runtime
    }
    options = {
        "ray_actor_options": {"num_cpus": 0.1, "resources": dict(settings.ingress.resources)},
        "health_check_period_s": 5,
    }
    ingest = serve.deployment(
        Ingest,
        name="Ingest",
        graceful_shutdown_timeout_s=2 * drain + 5,
        graceful_shutdown_wait_loop_s=0.2,
        max_ongoing_requests=1000,  # a front follows with one, and asks with a few more
        **options,
    ).bind(settings, runtimes)
    ingress = serve.deployment(
        serve.ingress()(Ingress),
        name="Ingress",
        num_replicas=settings.ingress.replicas,
        max_ongoing_requests=1000,
        **options,
    )
    return ingress.bind(settings, ingest)


class Ingress:
    """The HTTP front; it holds on to ingest, so that one application deploys both."""

    def __init__(self, settings: Settings, ingest: DeploymentHandle) -> None:
        keep_to_loopback()
        self.settings = settings
        self.ports = wire(settings)
        self.native = native(settings, self.ports, Ingests(ingest))

    def __serve_build_asgi_app__(self) -> FastAPI:  # Serve's own hook
        return api(self.native)

    async def __del__(self) -> None:
        if hasattr(self, "native"):
            await self.native.feed.close()
            await self.ports.close()


class Ingest:
    """The workers of all runtimes in one replica, and the board that they share."""

    async def __init__(  # type: ignore[misc] # Serve awaits it, inside the loop of the workers
        self, settings: Settings, runtimes: Mapping[str, DeploymentHandle]
    ) -> None:
        keep_to_loopback()
        self.drain_seconds = settings.tasks.drain_seconds
        self.ports = wire(settings)
        self.board = Board()
        workers = {
            runtime.name: _worker(settings, runtime, self.ports, self.board, runtimes[runtime.name])
            for runtime in settings.models_runtime
        }
        self.actor = Actor({**workers, settings.callback_calls: _courier(settings, self.ports)})

    def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        return self.board.follow(follower)

    async def watch(self, follower: str, submission: str) -> Sequence[Event] | None:
        return await self.board.watch(follower, submission)

    async def unwatch(self, follower: str, submission: str) -> None:
        await self.board.unwatch(follower, submission)

    async def stop(self, report: Report) -> bool:
        return await self.board.stop(report)

    async def paces(self) -> Mapping[str, Pace]:
        return await self.board.paces()

    def check_health(self) -> None:
        self.actor.check_health()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "actor"):
            await self.actor.drain(self.drain_seconds)
            await self.ports.close()


def kinds(settings: Settings, runtime: str) -> frozenset[Kind]:
    """What a configured runtime can do."""
    found = settings.runtime(runtime)
    return adapter_class(found.type).kinds if found else frozenset()


def native(settings: Settings, ports: Ports, live: Live) -> Native:
    """What the HTTP API works with."""
    submit = Submit(
        topic=ports.tasks,
        objects=ports.objects,
        ledger=ports.ledger,
        bucket=settings.output_bucket,
    )

    @cache
    def queue(runtime: str) -> Queue:  # it remembers its URL
        return ports.queue(runtime)

    async def backlog(runtime: str) -> int:
        return await queue(runtime).backlog()

    return Native(
        settings=settings,
        submit=submit,
        keys=Keys.of(settings),
        kinds=partial(kinds, settings),
        ledger=ports.ledger,
        objects=ports.objects,
        claims=ports.claims,
        cancel=Cancel(ledger=ports.ledger, tell=_tell(ports), live=live),
        feed=Feed(live, ports.ledger),
        backlog=backlog,
        checkpoints=partial(_checkpoints, settings, ports),
    )


def _tell(ports: Ports) -> Tell:
    return Tell(results=ports.results, callbacks=ports.callbacks)


async def _checkpoints(settings: Settings, ports: Ports) -> Sequence[str]:
    """The checkpoints there are, in the folder or in the bucket of weights."""
    if settings.checkpoints is not None:
        shelf = Checkpoints(settings.checkpoints).stable_diffusion
        return await asyncio.to_thread(lambda: shelf.names)
    under = f"s3://{settings.model_bucket}/{STABLE_DIFFUSION}/"
    return [uri.removeprefix(under) for uri in await ports.objects.list(under)]


def _courier(settings: Settings, ports: Ports) -> Courier:
    return Courier(
        queue=ports.calls,
        ledger=ports.ledger,
        post=WebPost(settings.inputs.allow_hosts),
        secret=settings.callback_secret,
        rules=settings.callbacks,
    )


def _worker(
    settings: Settings, runtime: Runtime, ports: Ports, board: Board, handle: DeploymentHandle
) -> Worker:
    output = f"s3://{settings.output_bucket}"
    envelope = Envelope(
        runtime=runtime.name,
        objects=ports.objects,
        payloads=f"{output}/payloads/",
        limit=settings.tasks.max_payload_bytes + _WRAPPING,
    )
    line = Line(
        envelope=envelope,
        ledger=ports.ledger,
        objects=ports.objects,
        tell=_tell(ports),
        board=board,
        runner=Replicas(handle),
        kinds=frozenset(adapter_class(runtime.type).kinds),
        output=output,
        rules=settings.tasks,
    )
    return Worker(ports.queue(runtime.name), line, capacity=runtime.capacity)


def adapter(settings: Settings, runtime: Runtime) -> Adapter:
    """The adapter of a configured runtime; cheap until it is made ready.

    Raises:
        SettingsError: its type is unknown, or an option of it is wrong.
    """
    spec = RuntimeSpec(
        name=runtime.name,
        checkpoint=runtime.model_filename,
        dynamic=runtime.dynamic_model,
        checkpoints=settings.checkpoints,
        options=runtime.options,
    )
    return adapter_class(runtime.type)(spec)


async def _replica(settings: Settings, runtime: Runtime) -> Replica:
    objects = wire(settings).objects
    made = adapter(settings, runtime)
    await made.ready()
    return Replica(
        adapter=made,
        inputs=Inputs(settings.inputs, objects, settings.readable_buckets),
        objects=objects,
        output=f"s3://{settings.output_bucket}",
        deadline=settings.tasks.deadline_seconds,
    )
