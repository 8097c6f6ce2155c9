"""Upload of checkpoints to the model bucket."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.aws.model_bucket import ModelBucket, missing_files
from cli.aws.sdk import Aws, RequirementMissing
from tests.cli.aws.platform import client, unique


@pytest.fixture
def bucket(signed_in: Any) -> ModelBucket:
    bucket = ModelBucket(Aws("us-east-1"), unique("w"), "Studio")
    bucket.make()
    return bucket


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "models"
    (made / "Stable-diffusion").mkdir(parents=True)
    (made / "Stable-diffusion" / "a.safetensors").write_bytes(b"a" * 1_000)
    (made / "Lora").mkdir()
    (made / "Lora" / "b.safetensors").write_bytes(b"b" * 10)
    (made / ".DS_Store").write_bytes(b"no")
    return made


def _keys(bucket: ModelBucket) -> list[str]:
    return [each["Key"] for each in client("s3").list_objects_v2(Bucket=bucket.name)["Contents"]]


def test_files_go_under_their_paths_and_are_counted(bucket: ModelBucket, folder: Path) -> None:
    upload = missing_files(bucket, folder)
    sent: list[int] = []
    upload.run(sent.append)

    assert upload.bytes == sum(sent) == 1_010
    assert _keys(bucket) == ["Lora/b.safetensors", "Stable-diffusion/a.safetensors"]


def test_what_is_there_is_not_sent_again(bucket: ModelBucket, folder: Path) -> None:
    missing_files(bucket, folder).run(lambda _: None)
    (folder / "Lora" / "b.safetensors").write_bytes(b"b" * 11)

    assert [key for _, key in missing_files(bucket, folder).files] == ["Lora/b.safetensors"]


def test_a_folder_that_is_not_there_or_empty_is_told(bucket: ModelBucket, tmp_path: Path) -> None:
    with pytest.raises(RequirementMissing, match="there is no such folder"):
        missing_files(bucket, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequirementMissing, match="there is nothing in it"):
        missing_files(bucket, tmp_path / "empty")


def test_making_it_again_changes_nothing(bucket: ModelBucket, folder: Path) -> None:
    missing_files(bucket, folder).run(lambda _: None)
    bucket.make()

    assert bucket.is_ours()
    assert len(_keys(bucket)) == 2


def test_a_bucket_of_another_installation_is_not_ours(bucket: ModelBucket) -> None:
    other = ModelBucket(bucket.aws, bucket.name, "Other")
    plain = ModelBucket(bucket.aws, unique("w"), "Studio")
    client("s3").create_bucket(Bucket=plain.name)

    assert not other.is_ours()
    assert not plain.is_ours()
    assert not ModelBucket(bucket.aws, unique("w"), "Studio").exists()


def test_a_bucket_whose_marks_nobody_here_may_read_is_not_ours(
    bucket: ModelBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetBucketTagging")

    monkeypatch.setattr(bucket.s3, "get_bucket_tagging", refused)

    assert not bucket.is_ours()


@pytest.mark.parametrize(("sid", "stays"), [("OnlyTls", False), ("Mine", True)])
def test_only_a_policy_of_ours_makes_way_for_the_stacks(
    bucket: ModelBucket, sid: str, stays: bool
) -> None:
    s3 = client("s3")
    policy = s3.get_bucket_policy(Bucket=bucket.name)["Policy"].replace("OnlyTls", sid)
    s3.put_bucket_policy(Bucket=bucket.name, Policy=policy)
    bucket.delete_policy()
    with nullcontext() if stays else pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket.name)
    bucket.delete_policy()


def test_what_else_is_told_of_a_bucket_stays(bucket: ModelBucket) -> None:
    s3, sqs = client("s3"), client("sqs")
    url = sqs.create_queue(QueueName=bucket.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    other = {"QueueArn": arn["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket.name, NotificationConfiguration={"QueueConfigurations": [other]}
    )
    anew = [bucket.enable_events() for _ in range(2)]
    told = s3.get_bucket_notification_configuration(Bucket=bucket.name)

    assert anew == [True, False]
    assert "EventBridgeConfiguration" in told
    assert told["QueueConfigurations"][0]["QueueArn"] == arn["QueueArn"]
