"""Answers of AWS that were cut or garbled on their way: as good as none, whoever reads them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest

from ingest.aws.claims import DynamoClaims
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.keys import DynamoKeys
from ingest.aws.s3 import S3Objects
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue, SqsSender
from models.errors import Unavailable
from models.fence import Fence
from models.ledger import Search
from models.ports import Delivery
from models.report import Report, Status
from models.task import Call, Kind, Task
from tests.ingest.wire import recorded

FENCE = Fence(token="a", until=1.0)
TASK = Task(submission="s", id="t", runtime="painter", kind=Kind.TEXT_TO_IMAGE)
REPORT = Report.of(TASK, Status.RUNNING)
DELIVERY = Delivery(id="m", receipt="r", body="{}")
ROW = {
    "id": {"S": "t"},
    "submission": {"S": "s"},
    "status": {"S": "compl\\ufffdted"},
    "created": {"N": "1"},
    "updated": {"N": "1"},
}
MESSAGE = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}


@dataclass(frozen=True)
class Parts:
    """Forms of the ports at AWS."""

    ledger: DynamoLedger
    claims: DynamoClaims
    keys: DynamoKeys
    queue: SqsQueue
    sender: SqsSender
    topic: SnsTopic
    objects: S3Objects


async def _all(parts: Parts) -> None:
    search = Search(statuses=(Status.QUEUED,), runtimes=("painter",))
    await parts.ledger.search(search, 10)


CALLS: Mapping[str, Callable[[Parts], Awaitable[object]]] = {
    "queue": lambda at: at.ledger.queue(TASK),
    "accept": lambda at: at.ledger.accept(TASK),
    "start": lambda at: at.ledger.start(TASK, FENCE),
    "hold": lambda at: at.ledger.hold(REPORT, FENCE),
    "finish": lambda at: at.ledger.finish(REPORT.cancelled(), FENCE),
    "requeue": lambda at: at.ledger.requeue(REPORT, FENCE),
    "cancel": lambda at: at.ledger.cancel("t", "s", FENCE),
    "tell": lambda at: at.ledger.tell(REPORT, FENCE),
    "mark_notified": lambda at: at.ledger.mark_notified(REPORT),
    "add_call": lambda at: at.ledger.add_call("t", "s", Call(event="completed", at=1.0)),
    "withdraw": lambda at: at.ledger.withdraw("t", "s"),
    "find one": lambda at: at.ledger.find("t", "s"),
    "find any": lambda at: at.ledger.find("t"),
    "search": _all,
    "waiting": lambda at: at.ledger.waiting("painter", 10),
    "claim": lambda at: at.claims.claim("k", "v"),
    "settle": lambda at: at.claims.settle("k"),
    "keys": lambda at: at.keys.read(),
    "receive": lambda at: at.queue.receive(1),
    "extend": lambda at: at.queue.extend(DELIVERY, 1),
    "ack": lambda at: at.queue.ack(DELIVERY),
    "backlog": lambda at: at.queue.backlog(),
    "send": lambda at: at.sender.publish("{}", {}),
    "get": lambda at: at.objects.get("s3://bucket/key", limit=1_000),
}
NO_JSON = ("", '{"Attributes": {"id": {"S": "t', "<html>", "[1]", "null", '"x"', "\ufffd{}")
URL: Mapping[str, object] = {"QueueUrl": "http://127.0.0.1:1/q"}
OTHER_FIELDS: Sequence[Mapping[str, object]] = (
    {"Attributes": 5, "Items": 5, "Item": 5, "Messages": 5, "QueueUrl": 5, "Failed": 5},
    {**URL, "Attributes": {}, "Item": {"status": 5}, "Items": [5], "Messages": [5], "Failed": [5]},
    {**URL, "Attributes": ROW, "Item": ROW, "Items": [ROW], "Messages": [MESSAGE]},
    {**URL, "Attributes": {"status": "x"}, "Failed": [{"Id": "x", "Code": "y"}]},
)
GARBLED = (*NO_JSON, *(json.dumps(dict(fields)) for fields in OTHER_FIELDS))


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-key")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with Clients("us-east-1") as clients:
        yield clients


def parts_of(clients: Clients) -> Parts:
    return Parts(
        ledger=DynamoLedger(clients=clients, table="t", days=1),
        claims=DynamoClaims(clients=clients, table="t"),
        keys=DynamoKeys(clients=clients, table="t"),
        queue=SqsQueue(clients, name="q", dead_letters="d"),
        sender=SqsSender(clients, "q"),
        topic=SnsTopic(clients, "arn:aws:sns:us-east-1:000000000000:topic"),
        objects=S3Objects(clients),
    )


def answer(body: str, status: str = "200 OK") -> str:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"


async def test_whoever_reads_a_garbled_answer_finds_the_service_unavailable(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        for status, body in product(("200 OK", "400 Bad Request"), GARBLED):
            wire.answer = answer(body, status)
            parts = parts_of(clients)
            errors = {name: await _error(call(parts)) for name, call in CALLS.items()}
            others = {n: e for n, e in errors.items() if e and not isinstance(e, Unavailable)}

            assert others == {}, (status, body)
        # The SDK asks three times for such a list of objects, with pauses, so that one has to do.
        wire.answer = answer("<html>")

        assert isinstance(await _error(parts.objects.list("s3://bucket/")), Unavailable)
        await clients.aclose()


async def _error(call: Awaitable[object]) -> Exception | None:
    try:
        await call
    except Exception as exc:  # noqa: BLE001 - its class is what the test looks at
        return exc
    return None


async def test_what_could_not_be_read_is_not_taken_for_nothing(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that was not read would else be one that is not there, and a lost ack one made."""
    asked = ("find one", "find any", "keys", "claim", "receive", "ack")
    async with recorded() as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        for body, name in product(NO_JSON, asked):
            wire.answer = answer(body)

            assert isinstance(await _error(CALLS[name](parts_of(clients))), Unavailable), name
        await clients.aclose()


async def test_an_answer_that_breaks_off_is_unavailable(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{}"
    async with recorded(cut) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        for name in ("get", "find one"):
            assert isinstance(await _error(CALLS[name](parts_of(clients))), Unavailable)
        await clients.aclose()
