"""Wiring: makes the ports that the settings ask for."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass

from ingest.aws.claims import DynamoClaims
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.keys import DynamoKeys
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue, SqsSender
from ingest.letter import DeadLetterQueue
from models.ledger import Ledger
from models.ports import Claims, KeyStore, Objects, Queue, Topic
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
    dead_letters: Mapping[str, DeadLetterQueue]
    """Queues of what was given up, by the names that people call them."""
    sources: Mapping[str, Topic]
    """Topics that lead straight to the queues of the runtimes, by their names."""
    close: Callable[[], Awaitable[None]]


def wire(settings: Settings, clients: Clients | None = None) -> Ports:
    """Make the ports on AWS; nothing is called, and no event loop needed, until one is used."""
    clients = clients or Clients(settings.aws.region)

    def topic(name: str) -> Topic:
        return SnsTopic(clients, settings.names.arn("sns", name))

    def queue(name: str, dead_letters: str) -> Queue:
        wait = settings.tasks.poll_seconds
        return SqsQueue(clients, name=name, dead_letters=dead_letters, wait_seconds=wait)

    sources = {
        runtime.name: SqsSender(clients, settings.names.queue(runtime.name))
        for runtime in settings.models_runtime
    }
    callbacks = SqsSender(clients, settings.names.callback_calls)
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
        callbacks=callbacks,
        calls=queue(settings.names.callback_calls, settings.names.callback_calls_dead_letters),
        dead_letters={
            queue.name: queue for queue in _dead_letters(settings, clients, sources, callbacks)
        },
        sources=sources,
        close=clients.aclose,
    )


def _dead_letters(
    settings: Settings, clients: Clients, sources: Mapping[str, Topic], callbacks: Topic
) -> Iterator[DeadLetterQueue]:
    """Make the queues of what was given up: tasks, calls, and what no queue of tasks has taken."""
    names = settings.names

    def letters(name: str) -> Queue:
        # A long poll asks all servers of SQS, a short one some, and may find nothing.
        return SqsQueue(clients, name=name, dead_letters=name, wait_seconds=1)

    received = "it was received too often without an end, as often as tasks.maxReceives allows"
    for runtime, source in sources.items():
        queue = letters(names.dead_letters(runtime))
        yield DeadLetterQueue(name=runtime, letters=queue, source=source, usual_reason=received)
    yield DeadLetterQueue(
        name=names.short(names.callback_calls),
        letters=letters(names.callback_calls_dead_letters),
        source=callbacks,
        usual_reason="the call was received too often without an end",
        of_calls=True,
    )
    for name, reason in (
        (names.unrouted, "no runtime takes it: it names none that there is, or in unusual case"),
        (names.undelivered, "SNS could not put it into its queue: look at that queue's policy"),
    ):
        yield DeadLetterQueue(
            name=names.short(name), letters=letters(name), source=None, usual_reason=reason
        )
