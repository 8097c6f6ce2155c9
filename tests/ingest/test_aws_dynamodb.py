"""Ledger in DynamoDB: times, expiry, and many rows of one id."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ingest.aws.claims import DynamoClaims
from ingest.aws.client import Clients
from ingest.aws.dynamodb import DynamoLedger
from ingest.aws.row import call_value, report_of, values
from models.errors import TaskFailed, Unavailable
from models.ledger import Search
from models.report import Report, Status
from models.task import Call, Callback, Task
from tests.contracts.ports import aws_world, fresh_settings
from tests.fences import MINE

DAY = 86_400
TASK = Task(submission="s-1", id="id-1", runtime="painter", kind="text-to-image")


class Ledger:
    """Ledger whose time the test sets, and access to its table."""

    def __init__(self, clients: Clients, table: str) -> None:
        self.now = 4_000_000_000.5  # not long ago: what has expired may be removed
        self.clients = clients
        self.ledger = DynamoLedger(clients=clients, table=table, days=30, clock=lambda: self.now)

    async def row(self) -> Mapping[str, Any]:
        dynamodb = await self.clients.dynamodb()
        key = {"id": {"S": TASK.id}, "submission": {"S": TASK.submission}}
        answer = await dynamodb.get_item(TableName=self.ledger.table, Key=key)
        return answer["Item"]


@pytest.fixture
async def world(embedded_clients: Clients) -> Ledger:
    made = await aws_world("embedded", embedded_clients, fresh_settings())
    return Ledger(embedded_clients, made.settings.names.ledger)


async def test_a_row_keeps_its_first_time_and_expires_after_its_last(world: Ledger) -> None:
    await world.ledger.queue(TASK)
    world.now += 100
    await world.ledger.start(TASK, MINE)
    row = await world.row()

    assert float(row["created"]["N"]) == 4_000_000_000.5
    assert float(row["updated"]["N"]) == 4_000_000_100.5
    assert row["expires"] == {"N": str(4_000_000_100 + 30 * DAY)}


async def test_the_newest_of_many_rows_is_found(world: Ledger) -> None:
    """Rows fill more than one page, and the newest one's name does not sort last."""
    big = Report.of(TASK, Status.RUNNING).failed(TaskFailed("x", reason="r" * 30_000))
    newest = 17
    for n in range(50):
        world.now += -1 if n > newest else 1
        await world.ledger.finish(replace(big, submission=f"s-{n:02}"), MINE)
    found = await world.ledger.find(TASK.id)

    assert found is not None
    assert found.submission == f"s-{newest}"


async def test_a_missing_table_is_unavailable(embedded_clients: Clients) -> None:
    ledger = DynamoLedger(clients=embedded_clients, table="nothing", days=30)

    with pytest.raises(Unavailable, match="DynamoDB UpdateItem: ResourceNotFoundException"):
        await ledger.start(TASK, MINE)
    with pytest.raises(Unavailable, match="DynamoDB GetItem"):
        await ledger.find("id-1", "s-1")
    with pytest.raises(Unavailable, match="DynamoDB Query"):
        await ledger.find("id-1")
    with pytest.raises(Unavailable, match="DynamoDB Query"):
        await ledger.search(Search(runtimes=("painter",)), 10)
    with pytest.raises(Unavailable, match="DynamoDB Query"):
        await ledger.waiting("painter", 10)
    with pytest.raises(Unavailable, match="DynamoDB DeleteItem"):
        await ledger.withdraw(TASK.id, TASK.submission)


async def test_racing_transitions_never_lose_an_end(world: Ledger) -> None:
    running = await world.ledger.start(TASK, MINE)
    ended = replace(running, status=Status.CANCELLED)
    starts = [world.ledger.start(TASK, MINE) for _ in range(5)]
    reports = await asyncio.gather(
        *starts,
        world.ledger.finish(ended, MINE),
        *[world.ledger.start(TASK, MINE) for _ in range(5)],
    )

    assert (await world.ledger.start(TASK, MINE)).status is Status.CANCELLED
    assert reports[5].status is Status.CANCELLED


async def test_a_row_that_is_no_report_is_not_found(world: Ledger) -> None:
    dynamodb = await world.clients.dynamodb()
    row: dict[str, Any] = {
        "id": {"S": TASK.id},
        "submission": {"S": TASK.submission},
        "settled": {"BOOL": True},
    }
    await dynamodb.put_item(TableName=world.ledger.table, Item=row)
    await world.ledger.mark_notified(Report.of(TASK, Status.COMPLETED))

    assert await world.ledger.find(TASK.id) is None
    assert await world.ledger.find(TASK.id, TASK.submission) is None
    assert await world.row() == row


async def test_a_claim_is_a_row_that_expires(world: Ledger) -> None:
    clock = lambda: world.now  # noqa: E731
    claims = DynamoClaims(clients=world.clients, table=world.ledger.table, clock=clock)
    await claims.claim("secret/key", "x")
    dynamodb = await world.clients.dynamodb()
    (row,) = (await dynamodb.scan(TableName=world.ledger.table))["Items"]

    assert row["expires"] == {"N": str(4_000_000_000 + DAY)}
    assert "secret" not in str(row)


async def test_a_claim_without_its_table_is_unavailable(embedded_clients: Clients) -> None:
    claims = DynamoClaims(clients=embedded_clients, table="nothing")

    with pytest.raises(Unavailable, match="DynamoDB PutItem: ResourceNotFoundException"):
        await claims.claim("key", "value")
    with pytest.raises(Unavailable, match="DynamoDB UpdateItem: ResourceNotFoundException"):
        await claims.settle("key")
    with pytest.raises(Unavailable, match="DynamoDB UpdateItem: ResourceNotFoundException"):
        await claims.abandon("key")


@pytest.mark.parametrize("reason", [None, "text", {"a": ["é", 1.5, None]}, [True]])
def test_a_report_survives_its_row(reason: Any) -> None:
    task = replace(TASK, context={"😀": "é"}, callback=Callback(url="😀", events=("a", "b")))
    running = replace(Report.of(task, Status.RUNNING, attempt=2), key="é", checkpoint="c")
    report = running.failed(TaskFailed("no", reason=reason))
    times = {"created": {"N": "1.5"}, "updated": {"N": "2.5"}}
    row = {**values(report), **times, "id": {"S": "id-1"}, "submission": {"S": "s-1"}}

    assert report_of(row) == report


def test_the_words_of_a_stranger_are_cut() -> None:
    call = call_value(Call(event="completed", at=1.0, error="\x00" * 10**6))

    assert len(call["S"]) < 5_000


def test_a_huge_failure_fits_into_a_row() -> None:
    failed = Report.of(TASK, Status.RUNNING).failed(
        TaskFailed("\x00" * 10**6, reason={"answer": '"\\🏠' * 10**6})
    )

    assert len(values(failed)["failure"]["S"].encode()) < 200_000
