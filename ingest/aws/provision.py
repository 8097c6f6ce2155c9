"""Provisioning: makes what the settings name where no stack was deployed, on laptops and in tests.

It is idempotent: what is there is kept, and its attributes are set to what the settings say now.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ingest.aws.client import Clients, calling, translated
from models import strict_json
from models.errors import SettingsError
from models.names import routing, table
from models.names.queues import QueuePlan, queues
from models.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import KeySchemaElementTypeDef
    from types_aiobotocore_s3.literals import BucketLocationConstraintType
    from types_aiobotocore_sqs.literals import QueueAttributeNameType

_DAY = 86_400  # seconds


async def provision(settings: Settings, clients: Clients, *, raw: bool = False) -> None:
    """Make topics, queues, subscriptions, buckets and the ledger's table.

    ``raw`` delivers messages without the SNS envelope, which other consumers may count on.

    Raises:
        SettingsError: the account or region is not the one that the settings name.
        Unavailable: AWS refused or did not answer.
    """
    making = _Provision(settings, clients)
    await making.topics()
    # In the plans' order: SQS refuses dead letters in a queue that is not there yet.
    for plan in queues(settings.names, settings.models_runtime, settings.tasks):
        await making.queue_of(plan)
        if plan.policy is not None:
            await making.subscription(plan.name, plan.policy, raw)
    await making.buckets()
    await making.ledger()


class _Provision:
    def __init__(self, settings: Settings, clients: Clients) -> None:
        self.settings = settings
        self.clients = clients

    async def topics(self) -> None:
        sns = await self.clients.sns()
        for name in (self.settings.names.tasks_topic, self.settings.names.results_topic):
            with translated("SNS CreateTopic"):
                made = await sns.create_topic(Name=name)
            self._check(name, made["TopicArn"])

    async def queue_of(self, plan: QueuePlan) -> None:
        attributes: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": str(plan.visibility_seconds),
            "MessageRetentionPeriod": str(plan.days * _DAY),
        }
        if plan.dead_letters is not None:
            arn = self.settings.names.arn("sqs", plan.dead_letters)
            attributes["RedrivePolicy"] = strict_json.written(
                {"deadLetterTargetArn": arn, "maxReceiveCount": plan.max_receives}
            )
        await self.queue(plan.name, attributes)

    async def queue(self, name: str, attributes: "Mapping[QueueAttributeNameType, str]") -> None:
        """Make a queue, then set its attributes: SQS refuses to make it again with others."""
        async with calling(self.clients.sqs(), "SQS CreateQueue") as sqs:
            url = (await sqs.create_queue(QueueName=name))["QueueUrl"]
        with translated("SQS SetQueueAttributes"):
            await sqs.set_queue_attributes(QueueUrl=url, Attributes=dict(attributes))

    async def subscription(self, queue: str, policy: routing.Policy, raw: bool) -> None:
        """Let the tasks topic, and it alone, send the messages of this policy to the queue."""
        # Before the subscription: what SNS is not allowed to send it does not send again.
        await self.queue(queue, {"Policy": strict_json.written(self._sending(queue))})
        attributes = {
            "FilterPolicy": strict_json.written(policy),
            "RawMessageDelivery": strict_json.written(raw),
        }
        # SNS refuses to subscribe the same endpoint again with other attributes.
        subscription = await self._subscription_of(queue)
        if subscription is None:
            await self._subscribe(queue, attributes)
        else:
            await self._resubscribe(subscription, attributes)

    def _sending(self, queue: str) -> Mapping[str, object]:
        topic = self.settings.names.arn("sns", self.settings.names.tasks_topic)
        statement = {
            "Sid": "OnlyTheTasksTopic",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.settings.names.arn("sqs", queue),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    async def _subscription_of(self, queue: str) -> str | None:
        sns = await self.clients.sns()
        topic = self.settings.names.arn("sns", self.settings.names.tasks_topic)
        endpoint = self.settings.names.arn("sqs", queue)
        arns: dict[str, str] = {}
        with translated("SNS ListSubscriptionsByTopic"):
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
            async for page in pages:
                arns |= {
                    found["Endpoint"]: found["SubscriptionArn"] for found in page["Subscriptions"]
                }
        return arns.get(endpoint)

    async def _subscribe(self, queue: str, attributes: Mapping[str, str]) -> None:
        async with calling(self.clients.sns(), "SNS Subscribe") as sns:
            await sns.subscribe(
                TopicArn=self.settings.names.arn("sns", self.settings.names.tasks_topic),
                Protocol="sqs",
                Endpoint=self.settings.names.arn("sqs", queue),
                Attributes=attributes,
            )

    async def _resubscribe(self, subscription: str, attributes: Mapping[str, str]) -> None:
        sns = await self.clients.sns()
        for name, value in attributes.items():
            with translated("SNS SetSubscriptionAttributes"):
                await sns.set_subscription_attributes(
                    SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
                )

    async def buckets(self) -> None:
        for bucket in (self.settings.names.output_bucket, self.settings.model_bucket):
            if bucket is not None:
                await self._bucket(bucket)

    async def _bucket(self, name: str) -> None:
        async with calling(self.clients.s3(), "S3 CreateBucket", "BucketAlreadyOwnedByYou") as s3:
            if self.clients.region == "us-east-1":  # S3 refuses this one as a constraint
                await s3.create_bucket(Bucket=name)
            else:
                region: BucketLocationConstraintType = self.clients.region  # type: ignore[assignment] # any of them
                await s3.create_bucket(
                    Bucket=name, CreateBucketConfiguration={"LocationConstraint": region}
                )

    async def ledger(self) -> None:
        name = self.settings.names.ledger
        async with calling(
            self.clients.dynamodb(), "DynamoDB CreateTable", "ResourceInUseException"
        ) as dynamodb:
            await dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": each, "AttributeType": "N" if each in table.NUMBERS else "S"}
                    for each in _indexed()
                ],
                KeySchema=_schema(table.KEY[:1], table.KEY[1:]),
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": name,
                        # DynamoDB takes several attributes of either kind here, in this order.
                        "KeySchema": _schema(partition, table.INDEX_ORDER),
                        "Projection": {"ProjectionType": "ALL"},
                    }
                    for name, partition in table.INDEXES.items()
                ],
            )
        with translated("DynamoDB DescribeTable"):
            await dynamodb.get_waiter("table_exists").wait(TableName=name)
        await self._let_rows_expire(name)

    async def _let_rows_expire(self, name: str) -> None:
        async with calling(self.clients.dynamodb(), "DynamoDB DescribeTimeToLive") as dynamodb:
            now = (await dynamodb.describe_time_to_live(TableName=name))["TimeToLiveDescription"]
        # AWS refuses to enable it once more.
        if now.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}:
            return
        with translated("DynamoDB UpdateTimeToLive"):
            await dynamodb.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": table.EXPIRES},
            )

    def _check(self, name: str, made: str) -> None:
        if made != self.settings.names.arn("sns", name):
            raise SettingsError(f"made {made}, but aws.account and aws.region say otherwise")


def _indexed() -> Sequence[str]:
    """List the attributes of all keys of the ledger's table, each once."""
    partitions = (each for partition in table.INDEXES.values() for each in partition)
    return tuple(dict.fromkeys((*partitions, *table.INDEX_ORDER)))


def _schema(partition: Sequence[str], order: Sequence[str]) -> "list[KeySchemaElementTypeDef]":
    hashed: list[KeySchemaElementTypeDef] = [
        {"AttributeName": name, "KeyType": "HASH"} for name in partition
    ]
    ranged: list[KeySchemaElementTypeDef] = [
        {"AttributeName": name, "KeyType": "RANGE"} for name in order
    ]
    return hashed + ranged
