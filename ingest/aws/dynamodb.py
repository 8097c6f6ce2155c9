"""Ledger in DynamoDB: a row for each submission, each transition one conditional write."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ingest.aws.client import Clients, calling
from ingest.aws.index import Index
from ingest.aws.row import (
    NOTIFIED,
    REFUSED,
    Row,
    Values,
    call_value,
    key_of,
    number,
    report_of,
    standing,
    values,
)
from ingest.paging import age, age_after, paged
from models.ports import Ledger, Page, Search
from models.report import Report, Status
from models.task import Call, Task

_DAY = 86_400  # seconds

# A row that is not there fails every comparison and meets `attribute_not_exists`. Every report has
# a status, and no claim has one, so that it tells the rows of tasks from all others. Names are
# written with "#", since some (status, key) are reserved words of DynamoDB.
_NEW = "attribute_not_exists(#status)"
_KNOWN = "attribute_exists(#status)"
_QUEUED = "#status = :is_queued"
_NOT_ENDED = f"{_NEW} OR #status IN (:is_queued, :is_running)"
# Compared in the write itself: UpdateItem would else make a row under an id that is nobody's.
_NOT_ENDED_AND_OWNED = "#key = :owner AND #status IN (:is_queued, :is_running)"
# Else a hand-back that comes late would call a task queued which runs again elsewhere.
_IN_THIS_ATTEMPT = "#status = :is_running AND #attempt = :attempt"

_FIRST = "if_not_exists(#created, :updated)"
_FIRST_OWNER = "if_not_exists(#key, :key)"
# DynamoDB itself adds, so that two deliveries that come at once are two attempts.
_ONE_MORE = "if_not_exists(#attempt, :zero) + :one"
_ONE_LESS = "#attempt - :one"
_WITH_THE_OTHERS = "list_append(if_not_exists(#calls, :none), :calls)"

_CONSTANTS: Values = {
    ":is_queued": {"S": Status.QUEUED},
    ":is_running": {"S": Status.RUNNING},
    ":zero": number(0),
    ":one": number(1),
    ":none": {"L": []},
}


@dataclass(frozen=True, kw_only=True)
class DynamoLedger(Ledger):
    """Ledger in a table with the key ``id`` + ``submission``."""

    clients: Clients
    table: str
    days: int
    """Days until a row expires, counted from its last change."""
    clock: Callable[[], float] = time.time

    async def queue(self, task: Task, key: str | None = None) -> Report:
        queued = values(replace(Report.of(task, Status.QUEUED), key=key))
        row_key = key_of(task.id, task.submission)
        return report_of(await self._change(row_key, queued, when=_NEW))

    async def withdraw(self, task: Task) -> None:
        async with calling(self.clients.dynamodb(), "DynamoDB DeleteItem", REFUSED) as dynamodb:
            await dynamodb.delete_item(
                TableName=self.table,
                Key=key_of(task.id, task.submission),
                # The topic may have taken it though its answer was lost: what has begun stays.
                ConditionExpression=_QUEUED,
                **_named(_QUEUED, {}),
            )

    async def start(self, task: Task) -> Report:
        row_key = key_of(task.id, task.submission)
        running = values(Report.of(task, Status.RUNNING))
        how = {"attempt": _ONE_MORE}
        return report_of(await self._change(row_key, running, when=_NOT_ENDED, how=how))

    async def finish(self, report: Report) -> Report:
        row_key = key_of(report.id, report.submission)
        return report_of(await self._change(row_key, values(report), when=_NOT_ENDED))

    async def requeue(self, report: Report, *, counts: bool = True) -> None:
        row_key = key_of(report.id, report.submission)
        queued = {"status": {"S": Status.QUEUED.value}, "attempt": number(report.attempt)}
        how = {} if counts else {"attempt": _ONE_LESS}
        await self._change(row_key, queued, when=_IN_THIS_ATTEMPT, how=how)

    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        key: str | None = None,
    ) -> Report | None:
        row_key = key_of(id, submission)
        cancelled = {"status": {"S": Status.CANCELLED.value}}
        if key is None:
            return report_of(await self._change(row_key, cancelled, when=_NOT_ENDED))
        row = await self._change(row_key, cancelled, when=_NOT_ENDED_AND_OWNED, owner=key)
        return report_of(row) if _is_owned(row, key) else None

    async def mark_notified(self, report: Report) -> None:
        row_key = key_of(report.id, report.submission)
        # Else a row that has expired would come back as little more than this flag.
        await self._change(row_key, {NOTIFIED: {"BOOL": True}}, when=_KNOWN)

    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        row_key = key_of(id, submission)
        calls = {"calls": {"L": [call_value(call)]}}
        row = await self._change(row_key, calls, when=_KNOWN, how={"calls": _WITH_THE_OTHERS})
        return report_of(row).calls if row else (call,)

    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        rows = await (self._all(id) if submission is None else self._one(id, submission))
        owned = (row for row in rows if key is None or _is_owned(row, key))
        # Ids are free text, so that one may be spelt as a claim's or that of the API keys' row.
        reports = [report_of(row) for row in owned if "status" in row]
        return max(reports, key=age, default=None)

    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        last = age_after(after)
        async with aclosing(self._index.newest(search, last)) as reports:
            return await paged(reports, search, most, last)

    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        return await self._index.oldest_queued(runtime, most)

    @property
    def _index(self) -> Index:
        return Index(clients=self.clients, table=self.table)

    async def _one(self, id: str, submission: str) -> Sequence[Row]:  # noqa: A002
        async with calling(self.clients.dynamodb(), "DynamoDB GetItem") as dynamodb:
            answer = await dynamodb.get_item(
                TableName=self.table,
                Key=key_of(id, submission),
                # Else who asks right after submitting might be told that there is no such task.
                ConsistentRead=True,
            )
        return [answer["Item"]] if "Item" in answer else []

    async def _all(self, id: str) -> Sequence[Row]:  # noqa: A002
        rows: list[Row] = []
        async with calling(self.clients.dynamodb(), "DynamoDB Query") as dynamodb:
            pages = dynamodb.get_paginator("query").paginate(
                TableName=self.table,
                KeyConditionExpression="#id = :id",
                ExpressionAttributeNames={"#id": "id"},
                ExpressionAttributeValues={":id": {"S": id}},
                ConsistentRead=True,
            )
            async for page in pages:
                rows += page["Items"]
        return rows

    async def _change(
        self,
        row_key: Values,
        fields: Values,
        *,
        when: str,
        how: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> Row:
        """Update a row if it meets the condition ``when``; return it as it stands then.

        ``how`` has the expressions of fields that are not just set to their values; ``owner`` is
        the value of ``:owner`` in the condition.
        """
        now = self.clock()
        times = {"updated": number(now), "expires": number(int(now) + self.days * _DAY)}
        written = {**fields, **times}
        sets = {name: f":{name}" for name in written} | {"created": _FIRST} | dict(how or {})
        if "key" in fields:
            sets["key"] = _FIRST_OWNER  # whose it is does not change
        change = "SET " + ", ".join(f"#{name} = {value}" for name, value in sets.items())
        parameters = {
            "TableName": self.table,
            "Key": row_key,
            "UpdateExpression": change,
            "ConditionExpression": when,
            **_named(f"{change} {when}", {**written, "owner": {"S": owner}}),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",  # saves a read
        }
        async with calling(self.clients.direct("dynamodb"), "DynamoDB UpdateItem") as dynamodb:
            try:
                answer = await dynamodb.call("UpdateItem", parameters)
            except ClientError as exc:
                return standing(exc)
        row: Row = answer["Attributes"]
        return row


def _is_owned(row: Row, key: str) -> bool:
    """Tell whether a row is that of a task that belongs to the API key of this name."""
    owned: bool = row.get("key") == {"S": key}
    return owned


def _named(text: str, fields: Values) -> dict[str, Any]:
    """Collect the names and values that an expression uses; DynamoDB refuses any more than that."""
    known = _CONSTANTS | {f":{name}": value for name, value in fields.items()}
    return {
        "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", text)},
        "ExpressionAttributeValues": {name: known[name] for name in re.findall(r":\w+", text)},
    }
