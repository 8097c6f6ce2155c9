"""Wiring: makes the ports that the settings ask for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ingest.aws.claims import DynamoClaims
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.keys import DynamoKeys
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue, SqsSender
from models.ports import Claims, KeyStore, Ledger, Objects, Queue, Topic
from models.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Ports of one installation."""

    objects: Objects
    tasks: Topic
    results: Topic
    ledger: Ledger
    queue: Callable[[str], Queue]
    """Find the queue of the tasks of the runtime of this name."""
    claims: Claims
    keys: KeyStore
    """Store of the API keys that are made and revoked while the platform runs."""
    callbacks: Topic
    """Topic that leads to ``calls``."""
    calls: Queue
    """Queue of the calls to be made to tasks' callbacks."""
    close: Callable[[], Awaitable[None]]


def wire(settings: Settings, clients: Clients | None = None) -> Ports:
    """Make the ports on AWS; nothing is called, and no event loop needed, until one is used."""
    clients = clients or Clients(settings.aws.region)

    def topic(name: str) -> Topic:
        return SnsTopic(clients, settings.names.arn("sns", name))

    def queue(name: str, dead_letters: str) -> Queue:
        wait = settings.tasks.poll_seconds
        return SqsQueue(clients, name=name, dead_letters=dead_letters, wait_seconds=wait)

    return Ports(
        objects=S3Objects(clients),
        tasks=topic(settings.names.tasks_topic),
        results=topic(settings.names.results_topic),
        ledger=DynamoLedger(
            clients=clients, table=settings.names.ledger, days=settings.tasks.ledger_days
        ),
        queue=lambda runtime: queue(
            settings.names.queue(runtime), settings.names.dead_letters(runtime)
        ),
        claims=DynamoClaims(clients=clients, table=settings.names.ledger),
        keys=DynamoKeys(clients=clients, table=settings.names.ledger),
        callbacks=SqsSender(clients, settings.names.callback_calls),
        calls=queue(settings.names.callback_calls, settings.names.callback_calls_dead_letters),
        close=clients.aclose,
    )
