# No `from __future__ import annotations` here: Ray reads the annotation of `build` while running.
"""The one place of assembly: settings to a Serve application of ingress, ingest and runtimes."""

from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve import Application
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.adapter import Adapter, RuntimeSpec
from deployments.deploy import deploy, keep_to_loopback
from deployments.inputs import Inputs
from deployments.replica import Replica
from deployments.runtimes import adapter_class
from ingest.actor import Actor
from ingest.envelope import Envelope
from ingest.wiring import Ports, wire
from ingest.worker import Line, Worker
from models.errors import RuntimeUnavailable, TaskError
from models.ports import Runner
from models.progress import Progress
from models.report import Report
from models.settings import Runtime, Settings
from models.task import Kind, Task
from serve_app.api import api
from serve_app.auth import Keys
from serve_app.submit import Submit

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
    options = {"ray_actor_options": {"num_cpus": 0.1}, "health_check_period_s": 5}
    ingest = serve.deployment(
        Ingest,
        name="Ingest",
        graceful_shutdown_timeout_s=2 * drain + 5,
        graceful_shutdown_wait_loop_s=0.2,
        **options,
    ).bind(settings, runtimes)
    ingress = serve.deployment(
        serve.ingress()(Ingress), name="Ingress", max_ongoing_requests=1000, **options
    )
    return ingress.bind(settings, ingest)


class Ingress:
    """The HTTP front; it holds on to ingest, so that one application deploys both."""

    def __init__(self, settings: Settings, ingest: DeploymentHandle) -> None:
        keep_to_loopback()
        self.settings = settings
        self.ingest = ingest
        self.ports = wire(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:  # Serve's own hook
        return front(self.settings, self.ports)

    async def __del__(self) -> None:
        if hasattr(self, "ports"):
            await self.ports.close()


class Ingest:
    """The workers of all runtimes in one replica."""

    async def __init__(  # type: ignore[misc] # Serve awaits it, inside the loop of the workers
        self, settings: Settings, runtimes: Mapping[str, DeploymentHandle]
    ) -> None:
        keep_to_loopback()
        self.drain_seconds = settings.tasks.drain_seconds
        self.ports = wire(settings)
        self.actor = Actor(
            {
                runtime.name: _worker(settings, runtime, self.ports, runtimes[runtime.name])
                for runtime in settings.models_runtime
            }
        )

    def check_health(self) -> None:
        self.actor.check_health()

    async def __del__(self) -> None:  # Serve awaits it when it drains a replica
        if hasattr(self, "actor"):
            await self.actor.drain(self.drain_seconds)
            await self.ports.close()


class Replicas(Runner):
    """A runtime's replicas behind a Serve handle."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._run = handle.options(method_name="run", stream=True)

    async def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        stream = self._run.remote(task, attempt)
        try:
            async for said in stream:
                yield said
        except (RayError, RayServeException) as exc:
            # Its text carries a traceback with an address; what failed is in its cause.
            cause = exc.cause if isinstance(exc, RayTaskError) else exc
            why = str(cause) if isinstance(cause, TaskError) else f"{type(cause).__name__}"
            raise RuntimeUnavailable(why) from exc
        finally:
            stream.cancel()


def kinds(settings: Settings, runtime: str) -> frozenset[Kind]:
    """What a configured runtime can do."""
    found = settings.runtime(runtime)
    return adapter_class(found.type).kinds if found else frozenset()


def front(settings: Settings, ports: Ports) -> FastAPI:
    """The HTTP API over these ports."""
    submit = Submit(
        topic=ports.tasks,
        objects=ports.objects,
        ledger=ports.ledger,
        bucket=settings.output_bucket,
    )
    keys = Keys.of(settings)
    return api(settings=settings, submit=submit, keys=keys, kinds=partial(kinds, settings))


def _worker(settings: Settings, runtime: Runtime, ports: Ports, handle: Any) -> Worker:
    output = f"s3://{settings.output_bucket}"
    envelope = Envelope(
        runtime=runtime.name,
        objects=ports.objects,
        payloads=f"{output}/payloads/",
        limit=settings.tasks.max_payload_bytes + _WRAPPING,
    )
    line = Line(
        queue=ports.queue(runtime.name),
        envelope=envelope,
        ledger=ports.ledger,
        objects=ports.objects,
        results=ports.results,
        runner=Replicas(handle),
        kinds=frozenset(adapter_class(runtime.type).kinds),
        output=output,
        rules=settings.tasks,
    )
    return Worker(line, capacity=runtime.capacity)


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
