"""The ledger in DynamoDB: a row for each submission, each transition one conditional write."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ingest.aws.client import Clients, error_code, translated
from ingest.aws.row import Row, Values, key, number, report_of, values
from models.ports import Ledger
from models.report import Report, Status
from models.task import Task

_DAY = 86_400
_REFUSED = "ConditionalCheckFailedException"

_NEW = "attribute_not_exists(#status)"
_KNOWN = "attribute_exists(#status)"
_QUEUED = "#status = :is_queued"
_NOT_ENDED = f"{_NEW} OR #status IN (:is_queued, :is_running)"
_ASKED: Values = {":is_queued": {"S": Status.QUEUED}, ":is_running": {"S": Status.RUNNING}}


@dataclass(frozen=True, kw_only=True)
class DynamoLedger(Ledger):
    """A table with the key ``id`` + ``submission``; a row expires days after its last change."""

    clients: Clients
    table: str
    days: int
    clock: Callable[[], float] = time.time

    async def queue(self, task: Task) -> None:
        queued = values(Report.of(task, Status.QUEUED))
        await self._change(key(task.id, task.submission), queued, when=_NEW)

    async def withdraw(self, task: Task) -> None:
        dynamodb = await self.clients.dynamodb()
        with translated("DynamoDB DeleteItem", _REFUSED):
            await dynamodb.delete_item(
                TableName=self.table,
                Key=key(task.id, task.submission),
                ConditionExpression=_QUEUED,
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=_asked(_QUEUED),
            )

    async def start(self, task: Task) -> Report:
        running = values(Report.of(task, Status.RUNNING))
        at = key(task.id, task.submission)
        return report_of(await self._change(at, running, when=_NOT_ENDED, add={"attempt": 1}))

    async def finish(self, report: Report) -> Report:
        at = key(report.id, report.submission)
        return report_of(await self._change(at, values(report), when=_NOT_ENDED))

    async def tell(self, report: Report) -> None:
        at = key(report.id, report.submission)
        await self._change(at, {"told": {"BOOL": True}}, when=_KNOWN)

    async def find(self, id: str, submission: str | None = None) -> Report | None:  # noqa: A002
        row = await (self._newest(id) if submission is None else self._one(id, submission))
        return report_of(row) if row else None

    async def _one(self, id: str, submission: str) -> Row:  # noqa: A002
        dynamodb = await self.clients.dynamodb()
        with translated("DynamoDB GetItem"):
            answer = await dynamodb.get_item(
                TableName=self.table, Key=key(id, submission), ConsistentRead=True
            )
        return answer.get("Item", {})

    async def _newest(self, id: str) -> Row:  # noqa: A002
        dynamodb = await self.clients.dynamodb()
        rows: list[Row] = []
        with translated("DynamoDB Query"):
            pages = dynamodb.get_paginator("query").paginate(
                TableName=self.table,
                KeyConditionExpression="#id = :id",
                ExpressionAttributeNames={"#id": "id"},
                ExpressionAttributeValues={":id": {"S": id}},
                ConsistentRead=True,
            )
            async for page in pages:
                rows += page["Items"]
        return max(rows, key=lambda row: float(row["created"]["N"]), default={})

    async def _change(
        self, at: Values, fields: Values, *, when: str, add: dict[str, int] | None = None
    ) -> Row:
        """The row with these fields; where the condition refuses them, the row as it stands."""
        now = self.clock()
        times = {"updated": number(now), "expires": number(int(now) + self.days * _DAY)}
        added = {name: number(by) for name, by in (add or {}).items()}
        return await self._update(at, {**fields, **times}, added, when)

    async def _update(self, at: Values, fields: Values, added: Values, when: str) -> Row:
        dynamodb = await self.clients.dynamodb()
        written = {f":{name}": value for name, value in {**fields, **added}.items()}
        names = (*fields, *added, "created", "status")
        with translated("DynamoDB UpdateItem"):
            try:
                answer = await dynamodb.update_item(
                    TableName=self.table,
                    Key=at,
                    UpdateExpression=_expression(fields, added),
                    ConditionExpression=when,
                    ExpressionAttributeNames={f"#{name}": name for name in names},
                    ExpressionAttributeValues={**written, **_asked(when)},
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",  # saves a read
                )
            except ClientError as exc:
                if error_code(exc) != _REFUSED:
                    raise
                return _standing(exc)
        return answer["Attributes"]


def _expression(fields: Values, added: Values) -> str:
    """Set fields, add to counters, and keep the time of the first write."""
    sets = [f"#{name} = :{name}" for name in fields if name not in added]
    sets.append("#created = if_not_exists(#created, :updated)")
    adds = [f"#{name} :{name}" for name in added]
    return f"SET {', '.join(sets)}" + (f" ADD {', '.join(adds)}" if adds else "")


def _asked(condition: str) -> Values:
    """The values that a condition names; DynamoDB refuses one that nothing uses."""
    return {name: value for name, value in _ASKED.items() if name in condition}


def _standing(refusal: ClientError) -> Row:
    """The row that a condition refused to change; empty where there is none."""
    response: dict[str, Any] = {**refusal.response}
    row: Row = response.get("Item", {})
    return row
