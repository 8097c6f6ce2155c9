"""Checks of queues and buckets of others with names of ours."""

import boto3
import pytest

from cli.aws.deploy.checks.names import names
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import REGION, wanted


@pytest.fixture
def settings() -> Settings:
    return wanted(storage={"createModelBucket": True})


def test_what_is_not_there_is_free(aws: Aws, settings: Settings) -> None:
    assert [one.state for one in names(aws, settings)] == ["there"]


@pytest.mark.parametrize("whose", ["atelier-painter", None])
def test_a_queue_of_another_installation_is_refused(
    aws: Aws, settings: Settings, whose: str | None
) -> None:
    make_queue("atelier-painter-dead-letters", whose)
    (found,) = names(aws, settings)

    assert (found.name, found.state) == ("queue atelier-painter-dead-letters", "missing")
    assert (whose or "not of this installation") in found.text
    assert "stackName" in found.remedy


def test_queues_of_ours_and_of_names_that_only_begin_alike_are_fine(
    aws: Aws, settings: Settings
) -> None:
    make_queue("atelier-painter", "atelier")
    make_queue("atelier-other", "atelier-other")

    assert [one.state for one in names(aws, settings)] == ["there"]


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("atelier-outputs-123456789012-us-west-2", "outputBucketName"),
        ("atelier-logs-123456789012-us-west-2", "stackName"),
        ("atelier-models", "modelBucketArn"),
    ],
)
def test_a_bucket_that_was_there_before_is_not_taken_over(
    aws: Aws, settings: Settings, bucket: str, key: str
) -> None:
    make_bucket(bucket)
    (found,) = names(aws, settings)

    assert (found.name, found.state) == (f"bucket {bucket}", "missing")
    assert f"another {key}" in found.remedy


def test_a_bucket_that_an_earlier_stack_of_ours_left_is_fine(aws: Aws, settings: Settings) -> None:
    make_bucket(settings.names.output_bucket, "atelier")

    assert [one.state for one in names(aws, settings)] == ["there"]


def test_a_model_bucket_that_the_stack_does_not_make_may_be_anybodys(aws: Aws) -> None:
    make_bucket("atelier-models")

    assert [one.state for one in names(aws, wanted())] == ["there"]


def make_queue(name: str, project: str | None) -> None:
    tags = {"tags": {"Project": project}} if project else {}
    boto3.client("sqs", region_name=REGION).create_queue(QueueName=name, **tags)


def make_bucket(name: str, project: str | None = None) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if project:
        tags = {"TagSet": [{"Key": "Project", "Value": project}]}
        s3.put_bucket_tagging(Bucket=name, Tagging=tags)
