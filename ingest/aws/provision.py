"""Makes what the settings name, where no infrastructure was deployed: laptops and tests.

Idempotent: what is there is kept, and its attributes are set to what the settings say now.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ingest.aws.client import Clients, translated
from ingest.aws.index import INDEX, ORDER, PARTITION
from models import routing
from models.errors import SettingsError
from models.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import KeySchemaElementTypeDef
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_sqs.literals import QueueAttributeNameType

_DAY = 86_400
_LONGEST_RETENTION = 14 * _DAY
_CALL_SECONDS = 60
_CALL_RECEIVES = 1_000  # a call that waits for its turn is received again and again


async def provision(settings: Settings, clients: Clients, *, raw: bool = False) -> None:
    """Topics, queues, subscriptions, buckets and the ledger's table.

    ``raw`` delivers messages without the SNS envelope, which other consumers may count on.

    Raises:
        SettingsError: the account or region is not the one that the settings name.
        Unavailable: AWS refused or did not answer.
    """
    making = _Provision(settings, clients)
    await making.topics()
    for runtime in settings.models_runtime:
        await making.queue_of(runtime.name)
        await making.subscription(settings.queue(runtime.name), routing.of_runtime(runtime), raw)
    await making.queue(settings.unrouted, {"MessageRetentionPeriod": str(_LONGEST_RETENTION)})
    await making.subscription(settings.unrouted, routing.of_unrouted(settings), raw)
    await making.calls()
    await making.buckets()
    await making.ledger()


def calls_dead_letters(settings: Settings) -> str:
    """The queue of calls to callbacks that were given up."""
    return f"{settings.callback_calls}-dead-letters"


class _Provision:
    def __init__(self, settings: Settings, clients: Clients) -> None:
        self.settings = settings
        self.clients = clients

    async def topics(self) -> None:
        sns = await self.clients.sns()
        for name in (self.settings.tasks_topic, self.settings.results_topic):
            with translated("SNS CreateTopic"):
                made = await sns.create_topic(Name=name)
            self._check(name, made["TopicArn"])

    async def queue_of(self, runtime: str) -> None:
        tasks = self.settings.tasks
        dead_letters = self.settings.dead_letters(runtime)
        attributes: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": str(tasks.lease_seconds),
            "MessageRetentionPeriod": str(tasks.queue_days * _DAY),
            "RedrivePolicy": await self._redrive(dead_letters, tasks.max_receives),
        }
        await self.queue(self.settings.queue(runtime), attributes)

    async def calls(self) -> None:
        dead_letters = calls_dead_letters(self.settings)
        attributes: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": str(_CALL_SECONDS),
            "MessageRetentionPeriod": str(_LONGEST_RETENTION),
            "RedrivePolicy": await self._redrive(dead_letters, _CALL_RECEIVES),
        }
        await self.queue(self.settings.callback_calls, attributes)

    async def queue(self, name: str, attributes: "Mapping[QueueAttributeNameType, str]") -> None:
        """Attributes are set afterwards: creating it again with others would be refused."""
        sqs = await self.clients.sqs()
        with translated("SQS CreateQueue"):
            url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        with translated("SQS SetQueueAttributes"):
            await sqs.set_queue_attributes(QueueUrl=url, Attributes=dict(attributes))

    async def _redrive(self, dead_letters: str, receives: int) -> str:
        """The policy that leads to this queue, which is made."""
        await self.queue(dead_letters, {"MessageRetentionPeriod": str(_LONGEST_RETENTION)})
        arn = self.settings.arn("sqs", dead_letters)
        return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})

    async def subscription(self, queue: str, policy: routing.Policy, raw: bool) -> None:
        """Let the tasks topic, and it alone, send the messages of this policy to the queue."""
        await self.queue(queue, {"Policy": json.dumps(self._sending(queue))})
        attributes = {
            "FilterPolicy": json.dumps(policy),
            "RawMessageDelivery": json.dumps(raw),
        }
        # Subscribing again with other attributes would be refused.
        known = await self._subscription_of(queue)
        if known is None:
            await self._subscribe(queue, attributes)
        else:
            await self._resubscribe(known, attributes)

    def _sending(self, queue: str) -> Mapping[str, object]:
        topic = self.settings.arn("sns", self.settings.tasks_topic)
        statement = {
            "Sid": "OnlyTheTasksTopic",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.settings.arn("sqs", queue),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    async def _subscription_of(self, queue: str) -> str | None:
        sns = await self.clients.sns()
        topic = self.settings.arn("sns", self.settings.tasks_topic)
        endpoint = self.settings.arn("sqs", queue)
        known: dict[str, str] = {}
        with translated("SNS ListSubscriptionsByTopic"):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            async for page in pages:
                known |= {
                    each["Endpoint"]: each["SubscriptionArn"] for each in page["Subscriptions"]
                }
        return known.get(endpoint)

    async def _subscribe(self, queue: str, attributes: Mapping[str, str]) -> None:
        sns = await self.clients.sns()
        with translated("SNS Subscribe"):
            await sns.subscribe(
                TopicArn=self.settings.arn("sns", self.settings.tasks_topic),
                Protocol="sqs",
                Endpoint=self.settings.arn("sqs", queue),
                Attributes=attributes,
            )

    async def _resubscribe(self, known: str, attributes: Mapping[str, str]) -> None:
        sns = await self.clients.sns()
        for name, value in attributes.items():
            with translated("SNS SetSubscriptionAttributes"):
                await sns.set_subscription_attributes(
                    SubscriptionArn=known, AttributeName=name, AttributeValue=value
                )

    async def buckets(self) -> None:
        for bucket in (self.settings.output_bucket, self.settings.model_bucket):
            if bucket is not None:
                await self._bucket(bucket)

    async def _bucket(self, name: str) -> None:
        s3 = await self.clients.s3()
        with translated("S3 CreateBucket", "BucketAlreadyOwnedByYou"):
            if self.clients.region == "us-east-1":  # the one region that may not be named
                await s3.create_bucket(Bucket=name)
            else:
                region: BucketLocationConstraintType = self.clients.region  # type: ignore[assignment] # any of them
                await s3.create_bucket(
                    Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}
                )

    async def ledger(self) -> None:
        dynamodb = await self.clients.dynamodb()
        table = self.settings.ledger
        with translated("DynamoDB CreateTable", "ResourceInUseException"):
            await dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "N" if name == "created" else "S"}
                    for name in (*PARTITION, *ORDER)
                ],
                KeySchema=_schema(["id"], ["submission"]),
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": INDEX,
                        "KeySchema": _schema(PARTITION, ORDER),
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
            )
        with translated("DynamoDB DescribeTable"):
            await dynamodb.get_waiter("table_exists").wait(TableName=table)
        await self._let_rows_expire(table)

    async def _let_rows_expire(self, table: str) -> None:
        dynamodb = await self.clients.dynamodb()
        with translated("DynamoDB DescribeTimeToLive"):
            now = (await dynamodb.describe_time_to_live(TableName=table))["TimeToLiveDescription"]
        if now.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
            return
        with translated("DynamoDB UpdateTimeToLive"):
            await dynamodb.update_time_to_live(
                TableName=table,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
            )

    def _check(self, name: str, made: str) -> None:
        if made != self.settings.arn("sns", name):
            raise SettingsError(f"made {made}, but aws.account and aws.region say otherwise")


def _schema(partition: Sequence[str], order: Sequence[str]) -> "list[KeySchemaElementTypeDef]":
    hashed: list[KeySchemaElementTypeDef] = [
        {"AttributeName": name, "KeyType": "HASH"} for name in partition
    ]
    ranged: list[KeySchemaElementTypeDef] = [
        {"AttributeName": name, "KeyType": "RANGE"} for name in order
    ]
    return hashed + ranged
