"""Delete data for good: all versions of all objects, tables, snapshots, repositories, logs."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from cli.aws.retained import Retained
from cli.aws.sdk import Aws, AwsError

_AT_ONCE = 1_000  # keys in one call


def erase(aws: Aws, kept: Retained) -> None:
    """Delete a retained resource; one that is gone already is no error."""
    match kept.kind:
        case "bucket":
            _erase_bucket(aws, kept.name)
        case "table":
            _erase_table(aws, kept.name)
        case "snapshot":
            aws.client("ec2").delete_snapshot(SnapshotId=kept.name)
        case "repository":
            aws.client("ecr").delete_repository(repositoryName=kept.name, force=True)
        case _:
            raise AssertionError(kept.kind)


def erase_logs(aws: Aws, names: Iterable[str]) -> None:
    """Delete log groups; those that are missing or protected are skipped."""
    for name in names:
        with suppress(ClientError):
            aws.client("logs").delete_log_group(logGroupName=name)


def _erase_bucket(aws: Aws, name: str) -> None:
    """Delete a bucket with all versions, delete markers and unfinished multipart uploads."""
    s3 = aws.client("s3")
    versions = _versions(aws, name)
    # The next page is asked for by the last key, so deleting what was listed skips nothing.
    while batch := list(islice(versions, _AT_ONCE)):
        done = s3.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True})
        if done.get("Errors"):
            first = done["Errors"][0]
            raise AwsError(f"s3://{name}/{first['Key']} cannot be deleted: {first['Code']}")
    for part in aws.paginated("s3", "list_multipart_uploads", "Uploads", Bucket=name):
        s3.abort_multipart_upload(Bucket=name, Key=part["Key"], UploadId=part["UploadId"])
    s3.delete_bucket(Bucket=name)


def _erase_table(aws: Aws, name: str) -> None:
    """Delete a table, and its deletion protection first."""
    dynamodb = aws.client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    if table.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        # DynamoDB deletes no table that is being updated.
        dynamodb.get_waiter("table_exists").wait(TableName=name)
    dynamodb.delete_table(TableName=name)
    dynamodb.get_waiter("table_not_exists").wait(TableName=name)


def _versions(aws: Aws, bucket: str) -> Iterator[Any]:
    for page in aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            yield {"Key": version["Key"], "VersionId": version["VersionId"]}
