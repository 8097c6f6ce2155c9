"""Parts of the stack, each seen at work where it works in the emulator."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from models.names import table
from models.settings import Settings
from samples.cloud.deploy import Cloud
from tests.cloud.conftest import received, until
from tests.cloud.test_line import publish, task

STRANGER = "999999999999"
"""Number of somebody else's account."""


def test_the_outputs_lead_to_what_was_made(cloud: Cloud, settings: Settings) -> None:
    outputs = cloud.outputs
    topics = [each["TopicArn"] for each in cloud.client("sns").list_topics()["Topics"]]

    assert outputs["sdNotificationLambdaARN"] in topics
    assert outputs["sdNotificationOutputARN"] == outputs["sdNotificationOutputArn"]
    assert outputs["OutputS3Bucket"].endswith(f":{settings.names.output_bucket}")
    assert cloud.client("dynamodb").describe_table(TableName=outputs["LedgerTable"])


def test_the_table_forgets_and_can_be_searched(cloud: Cloud, settings: Settings) -> None:
    dynamodb = cloud.client("dynamodb")
    described = dynamodb.describe_table(TableName=settings.names.ledger)["Table"]
    forgets = dynamodb.describe_time_to_live(TableName=settings.names.ledger)[
        "TimeToLiveDescription"
    ]
    kept = dynamodb.describe_continuous_backups(TableName=settings.names.ledger)

    indexes = {index["IndexName"] for index in described["GlobalSecondaryIndexes"]}
    assert indexes == set(table.INDEXES)
    assert [key["AttributeName"] for key in described["KeySchema"]] == list(table.KEY)
    assert forgets == {"TimeToLiveStatus": "ENABLED", "AttributeName": table.EXPIRES}
    backups = kept["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert backups["PointInTimeRecoveryStatus"] == "ENABLED"


def test_pictures_have_the_lifecycle_of_the_settings(cloud: Cloud, settings: Settings) -> None:
    got = cloud.client("s3").get_bucket_lifecycle_configuration(Bucket=settings.names.output_bucket)
    rules = {rule["ID"]: rule for rule in got["Rules"]}

    assert rules["pictures"]["Expiration"]["Days"] == 90
    [move] = rules["pictures"]["Transitions"]
    assert (move["Days"], move["StorageClass"]) == (30, "STANDARD_IA")
    assert rules["payloads"]["Filter"] == {"Prefix": "payloads/"}


async def test_a_message_that_nobody_ends_is_moved_to_the_dead_letters(
    cloud: Cloud, settings: Settings
) -> None:
    """SQS does it by itself, after `tasks.maxReceives`."""
    sqs = cloud.client("sqs")
    queue, dead_letters = (
        sqs.get_queue_url(QueueName=name)["QueueUrl"]
        for name in (settings.names.queue("asleep"), settings.names.dead_letters("asleep"))
    )

    def moved() -> bool:
        hand_back(sqs, queue)
        dead = [json.loads(body["Message"]) for body in received(sqs, dead_letters)]
        return "unended" in [message["metadata"]["id"] for message in dead]

    publish(cloud, task("unended")["task"], runtime="asleep")

    assert await until(moved)


def hand_back(sqs: Any, url: str) -> None:
    """Receive a queue's messages, and let them be received again at once."""
    for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        handle = each["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


def test_a_stranger_can_send_nothing_into_a_queue(cloud: Cloud, settings: Settings) -> None:
    url = cloud.client("sqs").get_queue_url(QueueName=settings.names.queue("asleep"))["QueueUrl"]

    with pytest.raises(ClientError, match="AccessDenied"):
        cloud.client("sqs", STRANGER).send_message(QueueUrl=url, MessageBody="{}")


def test_a_queue_takes_from_the_tasks_topic_alone(cloud: Cloud, settings: Settings) -> None:
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    url = sqs.get_queue_url(QueueName=settings.names.queue("asleep"))["QueueUrl"]
    other = sns.create_topic(Name="other")["TopicArn"]
    arn = settings.names.arn("sqs", settings.names.queue("asleep"))
    sns.subscribe(TopicArn=other, Protocol="sqs", Endpoint=arn)
    received(sqs, url)

    sns.publish(TopicArn=other, Message="of another topic")
    publish(cloud, task("of-the-tasks-topic")["task"], runtime="asleep")

    [body] = received(sqs, url)
    assert json.loads(body["Message"])["metadata"]["id"] == "of-the-tasks-topic"


async def test_a_change_of_the_checkpoints_is_told(cloud: Cloud, settings: Settings) -> None:
    sqs, s3 = cloud.client("sqs"), cloud.client("s3")
    url = sqs.get_queue_url(QueueName=settings.names.checkpoint_events)["QueueUrl"]
    key = "Stable-diffusion/new.safetensors"

    s3.put_object(Bucket=settings.model_bucket, Key=key, Body=b"weights")
    s3.put_object(Bucket=settings.names.output_bucket, Key="a-picture.png", Body=b"no weights")
    [made] = await until(lambda: received(sqs, url))
    s3.delete_object(Bucket=settings.model_bucket, Key=key)
    [gone] = await until(lambda: received(sqs, url))

    told = [(each["detail-type"], each["detail"]["object"]["key"]) for each in (made, gone)]
    assert told == [("Object Created", key), ("Object Deleted", key)]


def test_the_edge_cannot_do_what_it_was_not_granted(cloud: Cloud) -> None:
    """Deny an action of its role: the emulator evaluates it, and the gateway shows the failure."""
    iam, headers = cloud.client("iam"), {"x-api-key": cloud.api_key}
    role = cloud.client("lambda").get_function(FunctionName="clouds-edge")["Configuration"]["Role"]
    name = role.rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": "sns:Publish", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    iam.put_role_policy(RoleName=name, PolicyName="mistake", PolicyDocument=policy)
    try:
        refused = httpx.post(f"{cloud.url}v1alpha2", json=task("denied"), headers=headers)
    finally:
        iam.delete_role_policy(RoleName=name, PolicyName="mistake")
    accepted = httpx.post(f"{cloud.url}v1alpha2", json=task("granted"), headers=headers)

    assert (refused.status_code, accepted.status_code) == (503, 200)


TOPIC = "arn:aws:sns:eu-central-1:123456789012:clouds-tasks"


@pytest.mark.parametrize(
    ("role", "service", "call", "arguments"),
    [
        ("runtimes", "dynamodb", "scan", {"TableName": "clouds-ledger"}),
        ("runtimes", "sns", "publish", {"TopicArn": TOPIC, "Message": "{}"}),
        ("runtimes", "s3", "delete_object", {"Bucket": "clouds-pictures", "Key": "a"}),
        ("ingest", "s3", "delete_object", {"Bucket": "clouds-models", "Key": "a"}),
        ("ingest", "dynamodb", "delete_table", {"TableName": "clouds-ledger"}),
    ],
)
def test_a_pod_can_do_no_more_than_it_needs(
    cloud: Cloud, role: str, service: str, call: str, arguments: Mapping[str, str]
) -> None:
    """The line shows that it can do what it needs: its calls are made in these roles."""
    refused = pytest.raises(ClientError, match=r"AccessDenied|AuthorizationError")

    with cloud.acting_as(role), refused:
        getattr(cloud.own_client(service), call)(**arguments)


def test_a_key_that_comes_too_often_is_told_to_wait(cloud: Cloud) -> None:
    """Key and usage plan are made by hand, for one request."""
    gateway = cloud.client("apigateway")
    api, stage = cloud.url.split("/restapis/")[1].split("/")[:2]
    key = gateway.create_api_key(name="by hand", enabled=True)
    plan = gateway.create_usage_plan(
        name="slow",
        apiStages=[{"apiId": api, "stage": stage}],
        throttle={"rateLimit": 0.001, "burstLimit": 1},
    )
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    value = gateway.get_api_key(apiKey=key["id"], includeValue=True)["value"]

    first, second = (
        httpx.get(f"{cloud.url}v1/tasks", headers={"x-api-key": value}) for _ in range(2)
    )

    assert first.status_code == 200
    assert (second.status_code, second.json()) == (429, {"message": "Too Many Requests"})
    assert second.headers["retry-after"] == "1"


def test_the_functions_log_has_no_key(cloud: Cloud) -> None:
    httpx.post(f"{cloud.url}v1alpha2", json={}, headers={"x-api-key": cloud.api_key})

    events = cloud.client("logs").filter_log_events(logGroupName="/aws/lambda/clouds-edge")[
        "events"
    ]

    assert any("submission_refused" in each["message"] for each in events)
    assert not any(cloud.api_key in each["message"] for each in events)
