"""Indexes of the ledger's table: by runtime and status, and by API key, in the order of age.

Rows without a runtime are not in the first: claims, and what was cancelled before it came. In the
second is what came by HTTP, and what names an owner who is believed.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from ingest.aws.client import Clients, calling
from ingest.aws.row import number, report_of
from ingest.paging import Age, age
from models.ledger import Search
from models.names.table import INDEX, INDEX_PARTITION, KEY_INDEX, KEY_INDEX_PARTITION
from models.report import Report, Status

_CHUNK = 50  # rows
_EVER = 1e11  # seconds since 1970; an expression takes no infinity


@dataclass(frozen=True, kw_only=True)
class Index:
    """Reads the indexes, a little at a time."""

    clients: Clients
    table: str
    now: float
    """Time at which it is read: what nobody has any more is queued again."""

    async def newest(self, search: Search, after: Age) -> AsyncGenerator[Report, None]:
        """Yield what a search may find below this age, the newest first.

        A task that changes its status meanwhile can come twice in a row, and seldom not at all.
        """
        since = max(0.0, search.since)
        until = min(_EVER, after[0], _EVER if search.until is None else search.until)
        # DynamoDB refuses BETWEEN with its bounds the wrong way round.
        if since > until:
            return
        async with AsyncExitStack() as stack:
            partitions = [
                await stack.enter_async_context(aclosing(self._partition(partition, since, until)))
                for partition in _partitions(search)
            ]
            # One query after the other, in the order of the statuses: a task cannot slip by.
            heads = [await anext(reports, None) for reports in partitions]
            while first := max((head for head in heads if head), key=age, default=None):
                yield first
                index = heads.index(first)
                heads[index] = await anext(partitions[index], None)

    async def oldest_queued(self, runtime: str, most: int) -> Sequence[float]:
        """List when the queued tasks of a runtime were created, the oldest first."""
        created: list[float] = []
        async with calling(self.clients.dynamodb(), "DynamoDB Query") as dynamodb:
            pages = dynamodb.get_paginator("query").paginate(
                **self._query(_Partition.of_runtime(runtime, Status.QUEUED), 0, _EVER),
                ProjectionExpression="#created",
                PaginationConfig={"MaxItems": most},
            )
            async for page in pages:
                created += [float(row["created"]["N"]) for row in page["Items"]]
        running = _Partition.of_runtime(runtime, Status.RUNNING)
        async with aclosing(self._partition(running, 0, _EVER)) as reports:  # one for each GPU
            created += [each.created async for each in reports if each.status is Status.QUEUED]
        return sorted(created)[:most]

    async def _partition(
        self, partition: "_Partition", since: float, until: float
    ) -> AsyncGenerator[Report, None]:
        async with calling(self.clients.dynamodb(), "DynamoDB Query") as dynamodb:
            # An index lags its table by moments, and DynamoDB has no consistent read of one.
            pages = dynamodb.get_paginator("query").paginate(
                **self._query(partition, since, until),
                ScanIndexForward=False,
                PaginationConfig={"PageSize": _CHUNK},
            )
            async for page in pages:
                for row in page["Items"]:
                    yield report_of(row).as_read(self.now)

    def _query(self, partition: "_Partition", since: float, until: float) -> dict[str, Any]:
        equal = " AND ".join(f"#{name} = :{name}" for name in partition.values)
        return {
            "TableName": self.table,
            "IndexName": partition.index,
            "KeyConditionExpression": f"{equal} AND #created BETWEEN :since AND :until",
            "ExpressionAttributeNames": {
                f"#{name}": name for name in (*partition.values, "created")
            },
            "ExpressionAttributeValues": {
                **{f":{name}": {"S": value} for name, value in partition.values.items()},
                ":since": number(round(since, 9)),  # DynamoDB refuses what is too near to zero
                ":until": number(round(until, 9)),
            },
        }


@dataclass(frozen=True, kw_only=True)
class _Partition:
    """Part of an index that DynamoDB keeps in the order of age."""

    index: str
    values: Mapping[str, str]
    """Values of the attributes that partition the index, by their names."""

    @classmethod
    def of_runtime(cls, runtime: str, status: Status) -> "_Partition":
        values = dict(zip(INDEX_PARTITION, (runtime, status.value), strict=True))
        return cls(index=INDEX, values=values)

    @classmethod
    def of_key(cls, key: str) -> "_Partition":
        values = dict(zip(KEY_INDEX_PARTITION, (key,), strict=True))
        return cls(index=KEY_INDEX, values=values)


def _partitions(search: Search) -> Sequence[_Partition]:
    """List the partitions that hold everything a search looks for.

    Tasks of one API key are in one partition, so that a search for them neither reads nor counts
    others' tasks, nor names one in a page's cursor.
    """
    if search.key is not None:
        return [_Partition.of_key(search.key)]
    statuses = dict.fromkeys(search.statuses)
    if Status.QUEUED in statuses:  # with those that run no more
        statuses |= {Status.RUNNING: None}
    return [
        _Partition.of_runtime(runtime, status) for status in statuses for runtime in search.runtimes
    ]
