"""Assembly of workers, the callback sender and replicas from settings; knows no Ray."""

from collections.abc import Mapping
from functools import partial

from deployments.adapter import Adapter, RuntimeSpec
from deployments.inputs.fetch import Inputs
from deployments.replica import Replica
from deployments.runtimes import adapter_class, described, kinds_of
from ingest.board import Board
from ingest.callbacks import CallbackSender
from ingest.envelope import Envelope
from ingest.fleet import Fleet, RuntimeFleet
from ingest.places import Places
from ingest.wiring import Ports
from ingest.worker import Worker
from models.live import FleetStore
from models.ports import Objects, Runner
from models.runtimes.contents import Contents
from models.settings import Runtime, Settings
from models.task import Task
from serve_app.assembly.front import notifier
from serve_app.callbacks import WebPost

_WRAPPING = 16 * 1024  # what a dialect adds to a client's body: v1alpha1 wraps it in metadata


def callback_sender(settings: Settings, ports: Ports) -> CallbackSender:
    return CallbackSender(
        queue=ports.calls,
        ledger=ports.ledger,
        post=WebPost(settings.inputs.allow_hosts),
        secret=settings.callback_secret,
        rules=settings.callbacks,
    )


def worker(
    settings: Settings, runtime: Runtime, ports: Ports, board: Board, runner: Runner
) -> Worker:
    """Make the worker of a configured runtime; ``runner`` is its replicas."""
    output = f"s3://{settings.names.output_bucket}"
    envelope = Envelope(
        runtime=runtime.name,
        objects=ports.objects,
        payloads=f"{output}/payloads/",
        limit=settings.tasks.max_payload_bytes + _WRAPPING,
        trusts_owner=settings.sns.trust_owner_attribute,
    )
    contents = Contents.of([runtime], described)
    return Worker(
        queue=ports.queue(runtime.name),
        capacity=runtime.capacity,
        envelope=envelope,
        ledger=ports.ledger,
        objects=ports.objects,
        notifier=notifier(settings, ports),
        board=board,
        runner=runner,
        kinds=kinds_of(runtime.type),
        judge=partial(contents.faults, runtime.name),
        checkpoint_of=partial(_checkpoint_of, adapter(settings, runtime)),
        output=output,
        rules=settings.tasks,
    )


def fleet(
    settings: Settings,
    workers: Mapping[str, Worker],
    places: Mapping[str, Places],
    board: Board,
    store: FleetStore,
    *,
    ingest: str,
) -> Fleet:
    """Make the loop by which all runtimes' workers and places, by name, follow their replicas.

    ``ingest``: name of this ingest replica.
    """
    fleets = []
    for runtime in settings.models_runtime:
        scaling = settings.scaling_of(runtime)
        each = RuntimeFleet(
            runtime=runtime.name,
            ingest=ingest,
            worker=workers[runtime.name],
            places=places[runtime.name],
            pace=board.runtimes.of(runtime.name),
            store=store,
            admit=runtime.admit,
            lookahead=runtime.lookahead,
            most_replicas=scaling.max_replicas,
            polling_seconds=scaling.polling_seconds,
            lease_seconds=settings.tasks.lease_seconds,
        )
        fleets.append(each)
    return Fleet(fleets)


def adapter(settings: Settings, runtime: Runtime) -> Adapter:
    """Make the adapter of a configured runtime; nothing is loaded until it is made ready.

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


async def replica(settings: Settings, runtime: Runtime, objects: Objects) -> Replica:
    """Make a replica of a configured runtime, and wait until it can run a task."""
    loaded = adapter(settings, runtime)
    # Serve sends tasks to a replica as soon as it is made.
    await loaded.ready()
    return Replica(
        adapter=loaded,
        inputs=Inputs(settings.inputs, objects, settings.readable_buckets),
        objects=objects,
        output=f"s3://{settings.names.output_bucket}",
        deadline=settings.tasks.deadline_seconds,
    )


def _checkpoint_of(adapter: Adapter, task: Task) -> str | None:
    """Find the first weights file that a task needs, which is its checkpoint if it needs one."""
    return next(iter(adapter.checkpoints(task)), None)
