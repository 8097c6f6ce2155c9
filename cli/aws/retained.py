"""What stays when a stack goes, because it holds what people made: buckets, the ledger, images."""

from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

from cli.aws.errors import code_of
from cli.aws.images import Images
from cli.aws.sdk import Aws
from cli.aws.tools import Tools
from cli.aws.weights import TAG, ModelBucket
from models.settings import Settings


@dataclass(frozen=True)
class Kept:
    """One thing that stayed."""

    kind: str
    name: str
    erasable: bool = True
    """Whether `destroy --delete-data` takes it: no bucket that was there before."""
    of_stack: bool = True
    """Whether a new stack would make it, by the same name."""


def retained(aws: Aws, settings: Settings) -> Iterator[Kept]:
    """All that is there of them."""
    for name in _buckets(settings):
        bucket = ModelBucket(aws, name, settings.stack_name)
        if bucket.exists():
            own = name != settings.model_bucket or settings.storage.create_model_bucket
            yield Kept("bucket", name, erasable=own or bucket.is_ours(), of_stack=own)
    if _has_table(aws, settings.ledger):
        yield Kept("table", settings.ledger)
    yield from _snapshots(aws, settings)
    for name in Images(aws, settings, Tools()).repositories():
        yield Kept("repository", name)


def _buckets(settings: Settings) -> list[str]:
    names = [settings.output_bucket, settings.model_bucket, settings.access_logs_bucket]
    return [name for name in names if name]


def _has_table(aws: Aws, name: str) -> bool:
    try:
        aws.client("dynamodb").describe_table(TableName=name)
    except ClientError as exc:
        if code_of(exc) == "ResourceNotFoundException":
            return False
        raise
    return True


def _snapshots(aws: Aws, settings: Settings) -> Iterator[Kept]:
    mine = [{"Name": f"tag:{TAG}", "Values": [settings.stack_name]}]
    found = aws.all("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=mine)
    yield from (Kept("snapshot", each["SnapshotId"], of_stack=False) for each in found)
