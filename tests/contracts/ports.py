"""Worlds for the contract of the ports: implementations over resources of their own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import pytest

from ingest.aws.claims import DynamoClaims
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.provision import provision
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue, SqsSender
from ingest.memory import (
    DeadLetter,
    MemoryClaims,
    MemoryLedger,
    MemoryObjects,
    MemoryQueue,
    MemoryTopic,
)
from models.ledger import Ledger
from models.ports import Claims, Delivery, Objects, Queue, Topic
from models.settings import Settings
from tests.clock import Clock

_RUNTIMES = [
    {"name": "painter", "type": "fake", "modelFilename": "shapes.safetensors"},
    {"name": "sketcher", "type": "fake"},
]
Send = Callable[[str, Mapping[str, str]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class World:
    """Implementation of every port, over resources that no other test uses."""

    name: str
    settings: Settings
    objects: Objects
    tasks: Topic
    ledger: Ledger
    ledger_at: Callable[[Clock], Ledger]
    """Ledger that may share its rows with others, in a time of its own."""
    claims_at: Callable[[Clock], Claims]
    callbacks: Topic
    """Topic that leads to ``calls``."""
    calls: Queue
    queues: Mapping[str, Queue]
    """Queues by runtime, and ``unrouted``."""
    send: Send
    """Put a message into the painter's queue, past the topic."""
    dead_letters: Callable[[], Awaitable[Sequence[DeadLetter]]]
    """Read the dead letters of the painter's queue."""
    letters: Queue
    """Queue of those dead letters."""
    source: Topic
    """Topic that leads straight to the painter's queue."""

    @property
    def queue(self) -> Queue:
        return self.queues["painter"]


def memory_world(*, raw: bool = False) -> World:
    topic = MemoryTopic()
    settings = fresh_settings()
    spent = settings.tasks.max_receives
    queues = {
        name: MemoryQueue(wait=0.3, max_receives=spent)
        for name in ("painter", "sketcher", "unrouted")
    }
    for name, queue in queues.items():
        topic.subscribe(queue, _goes_to(name), raw=raw)
    painter = queues["painter"]
    callbacks, calls = MemoryTopic(), MemoryQueue(wait=0.3)
    callbacks.subscribe(calls, raw=True)
    source = MemoryTopic()
    source.subscribe(painter, raw=True)

    async def dead_letters() -> Sequence[DeadLetter]:
        return painter.dead_letters

    return World(
        name="memory",
        settings=settings,
        objects=MemoryObjects(),
        tasks=topic,
        ledger=MemoryLedger(),
        ledger_at=MemoryLedger,
        claims_at=MemoryClaims,
        callbacks=callbacks,
        calls=calls,
        queues=queues,
        send=painter.send,
        dead_letters=dead_letters,
        letters=painter.letters,
        source=source,
    )


async def aws_world(name: str, clients: Clients, settings: Settings, *, raw: bool = False) -> World:
    await provision(settings, clients, raw=raw)
    painter = _queue(
        clients, settings.names.queue("painter"), settings.names.dead_letters("painter")
    )
    letters = _queue(clients, settings.names.dead_letters("painter"), "none")
    table = settings.names.ledger

    async def send(body: str, attributes: Mapping[str, str]) -> None:
        sqs = await clients.sqs()
        url = (await sqs.get_queue_url(QueueName=painter.name))["QueueUrl"]
        typed = {k: {"DataType": "String", "StringValue": v} for k, v in attributes.items()}
        await sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=typed)  # type: ignore[arg-type] # a plain dictionary

    async def dead_letters() -> Sequence[DeadLetter]:
        return [_letter(delivery) for delivery in await letters.receive(10)]

    return World(
        name=name,
        settings=settings,
        objects=S3Objects(clients),
        tasks=SnsTopic(clients, settings.names.arn("sns", settings.names.tasks_topic)),
        ledger=DynamoLedger(clients=clients, table=table, days=30),
        ledger_at=lambda now: DynamoLedger(clients=clients, table=table, days=30, clock=now),
        claims_at=lambda now: DynamoClaims(clients=clients, table=table, clock=now),
        callbacks=SqsSender(clients, settings.names.callback_calls),
        calls=_queue(
            clients, settings.names.callback_calls, settings.names.callback_calls_dead_letters
        ),
        queues={
            "painter": painter,
            "sketcher": _queue(clients, settings.names.queue("sketcher"), "none"),
            "unrouted": _queue(clients, settings.names.unrouted, "none"),
        },
        send=send,
        dead_letters=dead_letters,
        letters=letters,
        source=SqsSender(clients, painter.name),
    )


def fresh_settings(account: str = "000000000000") -> Settings:
    """Settings with names that no other test uses."""
    return Settings.model_validate(
        {
            "stackName": f"t{uuid4().hex[:12]}",
            "modelsRuntime": _RUNTIMES,
            "modelBucketArn": f"arn:aws:s3:::t{uuid4().hex[:12]}-models",
            "aws": {"account": account},
        }
    )


def skip_on_moto(world: World, reason: str) -> None:
    if world.name == "moto":
        pytest.skip(reason)


def _queue(clients: Clients, name: str, dead_letters: str) -> SqsQueue:
    return SqsQueue(clients, name=name, dead_letters=dead_letters, wait_seconds=1)


def _letter(delivery: Delivery) -> DeadLetter:
    attributes = dict(delivery.attributes)
    reason = attributes.pop("reason")
    return DeadLetter(body=delivery.body, attributes=attributes, reason=reason)


def _goes_to(queue: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda attributes: _route(attributes) == queue


def _route(attributes: Mapping[str, str]) -> str | None:
    """Route messages of the tasks topic as the filter policies do on AWS."""
    named = attributes.get("runtime", "").lower()
    if named in {"painter", "sketcher"}:
        return named
    if attributes.get("sd_model_checkpoint") == "shapes.safetensors":
        return "painter"
    return "unrouted" if attributes else None
