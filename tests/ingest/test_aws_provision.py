"""Provisioning: makes what the settings say, and changes only what they changed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ingest.aws.client import Clients
from ingest.aws.provision import provision
from ingest.aws.sns import SnsTopic
from ingest.aws.sqs import SqsQueue
from models.errors import SettingsError, Unavailable
from models.names.table import INDEXES
from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws
from tests.contracts.ports import fresh_settings

DAY = 86_400


@pytest.fixture
def settings() -> Settings:
    return fresh_settings()


@pytest.fixture
def clients(embedded_clients: Clients) -> Clients:
    return embedded_clients


async def attributes(clients: Clients, queue: str) -> Mapping[Any, str]:
    sqs = await clients.sqs()
    url = (await sqs.get_queue_url(QueueName=queue))["QueueUrl"]
    return (await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]))["Attributes"]


async def subscriptions(clients: Clients, settings: Settings) -> Mapping[str, Mapping[str, str]]:
    sns = await clients.sns()
    topic = settings.names.arn("sns", settings.names.tasks_topic)
    found = (await sns.list_subscriptions_by_topic(TopicArn=topic))["Subscriptions"]
    return {
        each["Endpoint"].rpartition(":")[2]: (
            await sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])
        )["Attributes"]
        for each in found
    }


async def test_a_queue_has_dead_letters_and_the_lease(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    queue = await attributes(clients, settings.names.queue("painter"))
    dead_letters = await attributes(clients, settings.names.dead_letters("painter"))

    assert queue["VisibilityTimeout"] == "30"
    assert queue["MessageRetentionPeriod"] == str(4 * DAY)
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": settings.names.arn("sqs", settings.names.dead_letters("painter")),
        "maxReceiveCount": 100,
    }
    assert dead_letters["MessageRetentionPeriod"] == str(14 * DAY)


async def test_calls_have_a_queue_and_dead_letters(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    queue = await attributes(clients, settings.names.callback_calls)
    dead_letters = await attributes(clients, settings.names.callback_calls_dead_letters)

    assert queue["VisibilityTimeout"] == "60"
    assert queue["MessageRetentionPeriod"] == str(14 * DAY)
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": settings.names.arn(
            "sqs", settings.names.callback_calls_dead_letters
        ),
        "maxReceiveCount": 1_000,
    }
    assert dead_letters["MessageRetentionPeriod"] == str(14 * DAY)


async def test_only_the_tasks_topic_may_send(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    for name in (settings.names.queue("painter"), settings.names.unrouted):
        (statement,) = json.loads((await attributes(clients, name))["Policy"])["Statement"]

        assert statement["Principal"] == {"Service": "sns.amazonaws.com"}
        assert statement["Condition"]["ArnEquals"] == {
            "aws:SourceArn": settings.names.arn("sns", settings.names.tasks_topic)
        }


async def test_making_it_again_takes_new_settings(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    tasks = settings.tasks.model_copy(update={"lease_seconds": 60, "max_receives": 7})
    await provision(settings.model_copy(update={"tasks": tasks}), clients, raw=True)
    queue = await attributes(clients, settings.names.queue("painter"))
    found = await subscriptions(clients, settings)

    assert queue["VisibilityTimeout"] == "60"
    assert json.loads(queue["RedrivePolicy"])["maxReceiveCount"] == 7
    assert "Policy" in queue
    assert sorted(found) == sorted(
        [settings.names.queue("painter"), settings.names.queue("sketcher"), settings.names.unrouted]
    )
    assert {each["RawMessageDelivery"] for each in found.values()} == {"true"}


async def test_the_filters_of_a_stack_without_checkpoints(clients: Clients) -> None:
    runtimes = [{"name": "Comfy", "type": "fake"}]
    given = fresh_settings().model_dump(by_alias=True) | {"modelsRuntime": runtimes}
    settings = Settings.model_validate(given)
    await provision(settings, clients)
    found = await subscriptions(clients, settings)

    assert {name: json.loads(each["FilterPolicy"]) for name, each in found.items()} == {
        settings.names.queue("comfy"): {"runtime": [{"equals-ignore-case": "comfy"}]},
        settings.names.unrouted: {
            "runtime": [{"exists": False}, {"anything-but": ["COMFY", "Comfy", "comfy"]}]
        },
    }


async def test_a_name_in_unusual_case_is_routed_and_leaves_a_copy(
    clients: Clients, settings: Settings
) -> None:
    """SNS can match without regard to case, but cannot exclude so."""
    await provision(settings, clients)
    topic = SnsTopic(clients, settings.names.arn("sns", settings.names.tasks_topic))
    await topic.publish("x", {"runtime": "pAINTER"})
    queues = [settings.names.queue("painter"), settings.names.unrouted]
    found = [await SqsQueue(clients, name=n, dead_letters="").receive(10) for n in queues]

    assert [len(messages) for messages in found] == [1, 1]


async def test_the_ledger_expires_rows(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    await provision(settings, clients)
    dynamodb = await clients.dynamodb()
    table = (await dynamodb.describe_table(TableName=settings.names.ledger))["Table"]
    expiry = await dynamodb.describe_time_to_live(TableName=settings.names.ledger)

    indexes = table["GlobalSecondaryIndexes"]
    assert {index["IndexName"] for index in indexes} == set(INDEXES)
    assert all(index["Projection"] == {"ProjectionType": "ALL"} for index in indexes)
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert expiry["TimeToLiveDescription"]["AttributeName"] == "expires"


async def test_buckets_are_made(clients: Clients, settings: Settings) -> None:
    await provision(settings, clients)
    s3 = await clients.s3()
    names = {bucket["Name"] for bucket in (await s3.list_buckets())["Buckets"]}

    assert {settings.names.output_bucket, settings.model_bucket} <= names


async def test_no_model_bucket_is_made_where_weights_are_in_a_folder(clients: Clients) -> None:
    given = fresh_settings().model_dump(by_alias=True)
    given |= {"modelBucketArn": None, "checkpoints": "models"}
    await provision(Settings.model_validate(given), clients)


async def test_a_bucket_is_made_in_its_region(
    embedded_aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    given = fresh_settings().model_dump(by_alias=True) | {"aws": {"region": "eu-central-1"}}
    settings = Settings.model_validate(given)
    async with Clients("eu-central-1") as clients:
        await provision(settings, clients)
        s3 = await clients.s3()
        where = await s3.get_bucket_location(Bucket=settings.names.output_bucket)

    assert where["LocationConstraint"] == "eu-central-1"


async def test_another_account_is_told(clients: Clients) -> None:
    with pytest.raises(SettingsError, match=r"aws\.account"):
        await provision(fresh_settings("111111111111"), clients)


async def test_a_refusal_is_unavailable(clients: Clients, settings: Settings) -> None:
    taken = settings.model_copy(update={"output_bucket_name": "Not_A_Bucket"})

    with pytest.raises(Unavailable, match="S3 CreateBucket"):
        await provision(taken, clients)
