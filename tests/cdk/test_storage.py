"""Ledger's table and buckets, as the template has them."""

from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from cdk.storage import Storage
from ingest.aws.client import Clients
from ingest.aws.provision import provision
from models.names.queues import LONGEST_DAYS
from models.settings import Settings
from tests.cdk import promises
from tests.cdk.conftest import FULL


def template_of(settings: Settings) -> Template:
    stack = Stack(App(), "Alone")
    Storage(stack, "Storage", settings=settings)
    return Template.from_stack(stack)


def changed(**storage: Any) -> Settings:
    return Settings.read(args={**FULL, "storage": storage})


@pytest.fixture(scope="module")
def alone(settings: Settings) -> Template:
    return template_of(settings)


def properties(template: Template, kind: str) -> list[dict[str, Any]]:
    return [r["Properties"] for r in template.find_resources(kind).values()]


def buckets(template: Template) -> dict[str, dict[str, Any]]:
    return {bucket["BucketName"]: bucket for bucket in properties(template, "AWS::S3::Bucket")}


def rules(template: Template, bucket: str) -> dict[str, dict[str, Any]]:
    return {r["Id"]: r for r in buckets(template)[bucket]["LifecycleConfiguration"]["Rules"]}


def test_the_ledger_is_paid_by_use_kept_and_can_be_restored(alone: Template) -> None:
    (table,) = properties(alone, "AWS::DynamoDB::Table")

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True


async def test_a_laptop_has_the_same_table(moto_clients: Clients) -> None:
    """A laptop's table is made by API calls, that on AWS by the template."""
    account = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args={**FULL, "stackName": "twin-table", "aws": account, "front": {}})
    await provision(settings, moto_clients)
    dynamodb = await moto_clients.dynamodb()
    here = (await dynamodb.describe_table(TableName=settings.names.ledger))["Table"]

    (there,) = properties(template_of(settings), "AWS::DynamoDB::Table")
    made = {twin["IndexName"]: twin for twin in here["GlobalSecondaryIndexes"]}
    assert there["TableName"] == here["TableName"]
    assert there["KeySchema"] == here["KeySchema"]
    assert len(there["GlobalSecondaryIndexes"]) == len(made)
    for index in there["GlobalSecondaryIndexes"]:
        twin: Mapping[str, Any] = made[index["IndexName"]]
        assert {key: twin[key] for key in index} == index
    assert sorted(map(str, there["AttributeDefinitions"])) == sorted(
        map(str, here["AttributeDefinitions"])
    )


def test_pictures_move_and_go_as_the_settings_say(alone: Template, settings: Settings) -> None:
    pictures = rules(alone, settings.names.output_bucket)["pictures"]

    assert pictures["ExpirationInDays"] == 90
    assert pictures["Transitions"] == [{"StorageClass": "STANDARD_IA", "TransitionInDays": 30}]


def test_pictures_stay_where_nothing_is_said() -> None:
    settings = changed()
    pictures = rules(template_of(settings), settings.names.output_bucket)["pictures"]

    assert not {"ExpirationInDays", "Transitions"} & pictures.keys()


def test_a_payload_is_there_as_long_as_its_message(alone: Template, settings: Settings) -> None:
    """A message lies in its queue, and then among the dead letters, as a new message."""
    payloads = rules(alone, settings.names.output_bucket)["payloads"]

    assert payloads["Prefix"] == "payloads/"
    assert payloads["ExpirationInDays"] >= settings.tasks.queue_days + LONGEST_DAYS


def test_no_bucket_can_be_public_and_nothing_is_read_without_tls(alone: Template) -> None:
    assert promises.public_buckets(alone.to_json()) == set()
    assert promises.without_tls(alone.to_json()) == set()


def test_logs_of_access_go_after_a_while(alone: Template, settings: Settings) -> None:
    (rule,) = rules(alone, settings.names.access_logs_bucket).values()

    assert rule["ExpirationInDays"] == 90
    assert "Prefix" not in rule


def test_what_is_left_of_broken_uploads_goes(alone: Template) -> None:
    for name in buckets(alone):
        assert any("AbortIncompleteMultipartUpload" in r for r in rules(alone, name).values())


def test_who_reads_what_is_logged(alone: Template, settings: Settings) -> None:
    logs = settings.names.access_logs_bucket

    prefixes = {
        name: bucket["LoggingConfiguration"]["LogFilePrefix"]
        for name, bucket in buckets(alone).items()
        if name != logs
    }
    assert prefixes == {settings.names.output_bucket: "outputs/", "studio-models": "checkpoints/"}


def test_a_model_bucket_tells_of_its_changes_without_a_function(alone: Template) -> None:
    made = buckets(alone)["studio-models"]

    assert made["NotificationConfiguration"]["EventBridgeConfiguration"] == {
        "EventBridgeEnabled": True
    }
    alone.resource_count_is("AWS::Lambda::Function", 0)
    alone.resource_count_is("Custom::S3BucketNotifications", 0)


def test_a_model_bucket_that_the_stack_lets_go_is_still_known_as_ours(alone: Template) -> None:
    assert {"Key": "atelier:stack", "Value": "Studio"} in buckets(alone)["studio-models"]["Tags"]


def test_a_model_bucket_that_there_is_is_left_alone(settings: Settings) -> None:
    known = buckets(template_of(changed(createModelBucket=False)))

    assert known.keys() == {settings.names.output_bucket, settings.names.access_logs_bucket}
