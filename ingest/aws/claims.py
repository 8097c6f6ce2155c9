"""Claims in DynamoDB: rows of the ledger's table that are no submissions."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ingest.aws.client import Clients, calling
from ingest.aws.row import REFUSED, Row, Values, key_of, number, standing
from models.ports import Claim, Claims

_DAY = 86_400  # seconds
_NO_SUBMISSION = "#claim"
"""Sort key of claims. It is no valid submission, so no task's row takes a claim's place."""
# DynamoDB removes a row within days of its expiry, not at once.
_FREE = "attribute_not_exists(#id) OR #expires <= :now"


@dataclass(frozen=True, kw_only=True)
class DynamoClaims(Claims):
    """Claims as rows of their own; without a status, so that no ledger takes one for a report."""

    clients: Clients
    table: str
    clock: Callable[[], float] = time.time

    async def claim(self, key: str, value: str) -> Claim:
        now = self.clock()
        row: Values = {
            **_key(key),
            "value": {"S": value},
            "at": number(now),
            "settled": {"BOOL": False},
            "expires": number(int(now) + _DAY),
        }
        async with calling(self.clients.dynamodb(), "DynamoDB PutItem") as dynamodb:
            try:
                await dynamodb.put_item(
                    TableName=self.table,
                    Item=row,
                    ConditionExpression=_FREE,
                    ExpressionAttributeNames={"#id": "id", "#expires": "expires"},
                    ExpressionAttributeValues={":now": number(now)},
                    # The refusal brings the claim that stands; a read could find it released.
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as exc:
                return _claim(standing(exc), new=False)
            return _claim(row, new=True)

    async def find(self, key: str) -> Claim | None:
        async with calling(self.clients.dynamodb(), "DynamoDB GetItem") as dynamodb:
            answer = await dynamodb.get_item(
                TableName=self.table, Key=_key(key), ConsistentRead=True
            )
            row: Row | None = answer.get("Item")
            if row is None or self.clock() >= float(row["expires"]["N"]):
                return None
            return _claim(row, new=False)

    async def settle(self, key: str) -> None:
        await self._flag(key, "settled")

    async def abandon(self, key: str) -> None:
        await self._flag(key, "abandoned")

    async def _flag(self, key: str, name: str) -> None:
        async with calling(self.clients.dynamodb(), "DynamoDB UpdateItem", REFUSED) as dynamodb:
            await dynamodb.update_item(
                TableName=self.table,
                Key=_key(key),
                UpdateExpression="SET #flag = :flag",
                # UpdateItem makes a missing row: a claim without a value, which nobody can read.
                ConditionExpression="attribute_exists(#id)",
                ExpressionAttributeNames={"#id": "id", "#flag": name},
                ExpressionAttributeValues={":flag": {"BOOL": True}},
            )


def _key(key: str) -> Values:
    return key_of(f"claim/{hashlib.sha256(key.encode()).hexdigest()}", _NO_SUBMISSION)


def _claim(row: Row, *, new: bool) -> Claim:
    return Claim(
        value=row["value"]["S"],
        at=float(row["at"]["N"]),
        settled=row["settled"]["BOOL"],
        new=new,
        abandoned=row.get("abandoned", {"BOOL": False})["BOOL"],
    )
