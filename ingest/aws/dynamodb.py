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
    UNCALLED,
    Row,
    Values,
    call_value,
    fence_values,
    is_expired,
    key_of,
    number,
    report_of,
    standing,
    values,
)
from ingest.paging import age, age_after, paged
from models.fence import Fence
from models.ledger import UNPUBLISHED_SECONDS, Ledger, Page, Search
from models.report import Report, Status
from models.task import Call, Task

_DAY = 86_400  # seconds
_LONGEST_ID = 2_048  # bytes of a partition key

# A row that is not there fails every comparison and meets `attribute_not_exists`. Every report has
# a status, and no claim has one, so that it tells the rows of tasks from all others. Names are
# written with "#", since some (status, key) are reserved words of DynamoDB.
_NEW = "attribute_not_exists(#status)"
_KNOWN = "attribute_exists(#status)"
_QUEUED = "#status = :is_queued"
_RUNNING = "#status = :is_running"
_NOT_ENDED = f"{_NEW} OR #status IN (:is_queued, :is_running)"
_MINE = "#fence = :fence"
_FREE = "(attribute_not_exists(#fence) OR #fenced <= :updated)"
_MINE_OR_FREE = f"({_MINE} OR {_FREE})"
# Compared in the write itself: UpdateItem would else make a row under an id that is nobody's.
_OWNED = "#key = :owner"

_FIRST = "if_not_exists(#created, :updated)"
_FIRST_OWNER = "if_not_exists(#key, :key)"
# DynamoDB itself adds: what is known here of the attempts may be old.
_ONE_MORE = "if_not_exists(#attempt, :zero) + :one"
_ONE_LESS = "#attempt - :one"
_WITH_THE_OTHERS = "list_append(if_not_exists(#calls, :none), :calls)"

_CONSTANTS: Values = {
    ":is_queued": {"S": Status.QUEUED},
    ":is_running": {"S": Status.RUNNING},
    ":zero": number(0),
    ":one": number(1),
    ":none": {"L": []},
    ":is_told": {"BOOL": True},
}


@dataclass(frozen=True, kw_only=True)
class DynamoLedger(Ledger):
    """Ledger in a table with the key ``id`` + ``submission``."""

    clients: Clients
    table: str
    days: int
    """Days until a row expires, counted from its last change."""
    clock: Callable[[], float] = time.time

    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        queued = values(replace(Report.of(task, Status.QUEUED), key=key))
        row_key = key_of(task.id, task.submission)
        return report_of(await self._change(row_key, queued, when=_NEW, unlisted=not published))

    async def accept(self, task: Task, key: str | None = None) -> Report:
        row = await self._change(key_of(task.id, task.submission), {}, when=_QUEUED)
        return report_of(row) if row else await self.queue(task, key)

    async def withdraw(self, id: str, submission: str) -> None:  # noqa: A002
        async with calling(self.clients.dynamodb(), "DynamoDB DeleteItem", REFUSED) as dynamodb:
            await dynamodb.delete_item(
                TableName=self.table,
                Key=key_of(id, submission),
                # The topic may have taken it though its answer was lost: what has begun stays.
                ConditionExpression=_QUEUED,
                **_named(_QUEUED, {}),
            )

    async def start(self, task: Task, fence: Fence) -> Report:
        row_key = key_of(task.id, task.submission)
        running = values(Report.of(task, Status.RUNNING)) | fence_values(fence)
        how = {"attempt": _ONE_MORE}
        # One of this fence that is queued was requeued: this start lands when its run is over.
        when = f"{_NEW} OR ({_QUEUED} AND NOT {_MINE})"
        row = await self._change(row_key, running, when=when, how=how)
        known = report_of(row)
        if known.ended or known.is_of(fence) or known.is_fenced(self.clock()):
            return known
        # It runs, but who has it is silent: that start goes on here.
        when = f"{_RUNNING} AND {_FREE}"
        return report_of(await self._change(row_key, fence_values(fence), when=when))

    async def hold(self, report: Report, fence: Fence) -> Report:
        row_key = key_of(report.id, report.submission)
        when = f"{_RUNNING} AND {_MINE}"
        row = await self._change(row_key, fence_values(fence), when=when)
        return report_of(row) if row else report

    async def finish(self, report: Report, fence: Fence) -> Report:
        row_key = key_of(report.id, report.submission)
        ended = values(report) | fence_values(fence)
        when = f"{_NEW} OR (#status IN (:is_queued, :is_running) AND {_MINE_OR_FREE})"
        return report_of(await self._change(row_key, ended, when=when))

    async def requeue(self, report: Report, fence: Fence, *, counts: bool = True) -> None:
        row_key = key_of(report.id, report.submission)
        queued = {"status": {"S": Status.QUEUED.value}} | fence_values(replace(fence, until=0))
        how = {} if counts else {"attempt": _ONE_LESS}
        await self._change(row_key, queued, when=f"{_RUNNING} AND {_MINE}", how=how)

    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        fence: Fence,
        key: str | None = None,
    ) -> Report | None:
        row_key = key_of(id, submission)
        cancelled = {"status": {"S": Status.CANCELLED.value}}
        # A row that is known by its name alone has nothing to tell of.
        untold = f"({_QUEUED} OR {_RUNNING}) AND attribute_exists(#context) AND {_FREE}"
        owned = "" if key is None else f" AND {_OWNED}"
        owner: Values = {"owner": {"S": key or ""}}
        told_here = cancelled | fence_values(fence)
        row = await self._change(row_key, told_here, when=untold + owned, compared=owner)
        if not row or not report_of(row).ended:
            when = f"({_NOT_ENDED}){owned}"
            row = await self._change(row_key, cancelled, when=when, compared=owner)
        return report_of(row) if row and (key is None or _is_owned(row, key)) else None

    async def tell(self, report: Report, fence: Fence) -> Report:
        row_key = key_of(report.id, report.submission)
        when = f"{_KNOWN} AND NOT #{NOTIFIED} = :is_told AND {_MINE_OR_FREE}"
        row = await self._change(row_key, fence_values(fence), when=when)
        return report_of(row) if row else replace(report, fence=fence)

    async def mark_notified(self, report: Report, *, called: bool = True) -> None:
        row_key = key_of(report.id, report.submission)
        told = {NOTIFIED: {"BOOL": True}}
        if report.uncalled or not called:  # rows of others do without
            told[UNCALLED] = {"BOOL": not called}
        # Else a row that has expired would come back as little more than this flag.
        await self._change(row_key, told, when=_KNOWN)

    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        value = call_value(call)
        calls = {"calls": {"L": [value]}}
        how = {"calls": _WITH_THE_OTHERS}
        when = f"{_KNOWN} AND NOT contains(#calls, :call)"  # else it was noted before
        row_key, compared = key_of(id, submission), {"call": value}
        row = await self._change(row_key, calls, when=when, how=how, compared=compared)
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
        now = self.clock()
        rows = [row for row in owned if "status" in row and not is_expired(row, now)]
        reports = [report_of(row).as_read(now) for row in rows]
        return max(reports, key=age, default=None)

    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        last = age_after(after)
        async with aclosing(self._index.newest(search, last)) as reports:
            return await paged(reports, search, most, last)

    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        return await self._index.oldest_queued(runtime, most)

    @property
    def _index(self) -> Index:
        return Index(clients=self.clients, table=self.table, now=self.clock())

    async def _one(self, id: str, submission: str) -> Sequence[Row]:  # noqa: A002
        if len(id.encode(errors="replace")) > _LONGEST_ID:
            return []  # DynamoDB would refuse to look for it
        async with calling(self.clients.dynamodb(), "DynamoDB GetItem") as dynamodb:
            answer = await dynamodb.get_item(
                TableName=self.table,
                Key=key_of(id, submission),
                # Else who asks right after submitting might be told that there is no such task.
                ConsistentRead=True,
            )
            return [answer["Item"]] if "Item" in answer else []

    async def _all(self, id: str) -> Sequence[Row]:  # noqa: A002
        if len(id.encode(errors="replace")) > _LONGEST_ID:
            return []
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
        compared: Values | None = None,
        unlisted: bool = False,
    ) -> Row:
        """Update a row if it meets the condition ``when``; return it as it stands then.

        ``how`` has the expressions of fields that are not just set to their values; ``compared``
        the values that the condition alone uses. An ``unlisted`` row expires soon.
        """
        now = self.clock()
        kept = UNPUBLISHED_SECONDS if unlisted else self.days * _DAY
        times = {"updated": number(now), "expires": number(int(now + kept))}
        written = {**fields, **times}
        # Without this time a row is in no index: neither listed nor before others in the queue.
        created = {} if unlisted else {"created": _FIRST}
        sets = {name: f":{name}" for name in written} | created | dict(how or {})
        if "key" in fields:
            sets["key"] = _FIRST_OWNER  # whose it is does not change
        change = "SET " + ", ".join(f"#{name} = {value}" for name, value in sets.items())
        parameters = {
            "TableName": self.table,
            "Key": row_key,
            "UpdateExpression": change,
            "ConditionExpression": when,
            **_named(f"{change} {when}", {**written, **(compared or {})}),
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
