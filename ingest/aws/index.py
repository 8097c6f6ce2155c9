"""The index of the ledger's table: submissions by runtime and status, in the order of their age.

A row without a runtime is not in it: claims are not, nor is what was cancelled before it came.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from ingest.aws.client import Clients, translated
from ingest.aws.row import number, report_of
from ingest.paging import Age, age
from models.ports import Search
from models.report import Report, Status
from models.table import INDEX, INDEX_PARTITION

_CHUNK = 50
_EVER = 1e11  # seconds; an expression takes no infinity
_IN_TIME = "#runtime = :runtime AND #status = :status AND #created BETWEEN :since AND :until"


@dataclass(frozen=True, kw_only=True)
class Index:
    """Reads it, a little at a time."""

    clients: Clients
    table: str

    async def newest(self, search: Search, after: Age) -> AsyncGenerator[Report, None]:
        """All that may be found from this age on, the newest first.

        One that changes its status meanwhile can come twice in a row, and seldom not at all.
        """
        since = max(0.0, search.since)
        until = min(_EVER, after[0], _EVER if search.until is None else search.until)
        if since > until:
            return
        async with AsyncExitStack() as stack:
            partitions = [
                await stack.enter_async_context(aclosing(self._partition(r, s, since, until)))
                for s in search.statuses
                for r in search.runtimes
            ]
            # One after the other, as a task goes through its statuses, so that none slips by.
            heads = [await anext(each, None) for each in partitions]
            while first := max((head for head in heads if head), key=age, default=None):
                yield first
                n = heads.index(first)
                heads[n] = await anext(partitions[n], None)

    async def oldest_queued(self, runtime: str, most: int) -> Sequence[float]:
        """When they were created."""
        dynamodb = await self.clients.dynamodb()
        created: list[float] = []
        with translated("DynamoDB Query"):
            pages = dynamodb.get_paginator("query").paginate(
                **self._query(runtime, Status.QUEUED, 0, _EVER),
                ProjectionExpression="#created",
                PaginationConfig={"MaxItems": most},
            )
            async for page in pages:
                created += [float(row["created"]["N"]) for row in page["Items"]]
        return created

    async def _partition(
        self, runtime: str, status: Status, since: float, until: float
    ) -> AsyncGenerator[Report, None]:
        dynamodb = await self.clients.dynamodb()
        with translated("DynamoDB Query"):
            pages = dynamodb.get_paginator("query").paginate(
                **self._query(runtime, status, since, until),
                ScanIndexForward=False,
                PaginationConfig={"PageSize": _CHUNK},
            )
            async for page in pages:
                for row in page["Items"]:
                    yield report_of(row)

    def _query(self, runtime: str, status: Status, since: float, until: float) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "IndexName": INDEX,
            "KeyConditionExpression": _IN_TIME,
            "ExpressionAttributeNames": {
                f"#{name}": name for name in (*INDEX_PARTITION, "created")
            },
            "ExpressionAttributeValues": {
                ":runtime": {"S": runtime},
                ":status": {"S": status.value},
                ":since": number(round(since, 9)),  # DynamoDB refuses what is too near to zero
                ":until": number(round(until, 9)),
            },
        }
