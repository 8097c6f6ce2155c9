"""Resources that outlive the stack as they hold data: buckets, ledger, snapshots, images."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.aws.model_bucket import ModelBucket
from cli.aws.repositories import Repositories
from cli.aws.sdk import Aws, AwsError, suppressed
from models.names import images
from models.names.tags import PROJECT, TAG, tag
from models.settings import Settings


@dataclass(frozen=True)
class Retained:
    """Resource that outlives the stack."""

    kind: str
    name: str
    erasable: bool = True
    """Flag: it has our tag, so `destroy --delete-data` deletes it."""
    of_stack: bool = True
    """Flag: a new stack would create it by the same name."""

    @property
    def foreign(self) -> bool:
        """Flag: somebody else's resource has a name that the stack uses; it is not imported."""
        return self.of_stack and not self.erasable


def retained(aws: Aws, settings: Settings) -> Iterator[Retained]:
    """Yield all retained resources that exist."""
    names = settings.names
    buckets = (names.output_bucket, settings.model_bucket, names.access_logs_bucket)
    for name in filter(None, buckets):
        yield from _bucket(aws, settings, name)
    yield from _table(aws, settings)
    yield from _snapshots(aws, settings)
    wanted = {images.repository(settings.names, kind) for kind in images.kinds(settings)}
    for name, ours in Repositories(aws, settings).existing():
        yield Retained("repository", name, erasable=ours, of_stack=name in wanted)


def _bucket(aws: Aws, settings: Settings, name: str) -> Iterator[Retained]:
    """Yield the bucket if it exists; one that may not be read is somebody else's."""
    bucket = ModelBucket(aws, name, settings.stack_name)
    of_stack = name != settings.model_bucket or settings.storage.create_model_bucket
    try:
        exists = bucket.exists()
    except AwsError:
        yield Retained("bucket", name, erasable=False, of_stack=of_stack)
        return
    if exists:
        ours = bucket.is_ours(PROJECT if of_stack else TAG)
        yield Retained("bucket", name, erasable=ours, of_stack=of_stack)


def _table(aws: Aws, settings: Settings) -> Iterator[Retained]:
    name = settings.names.ledger
    with suppressed("ResourceNotFoundException"):
        arn = aws.client("dynamodb").describe_table(TableName=name)["Table"]["TableArn"]
        tags = aws.paginated("dynamodb", "list_tags_of_resource", "Tags", ResourceArn=arn)
        yield Retained("table", name, erasable=tag(PROJECT, settings.stack_name) in tags)


def _snapshots(aws: Aws, settings: Settings) -> Iterator[Retained]:
    mine = [{"Name": f"tag:{TAG}", "Values": [settings.stack_name]}]
    found = aws.paginated("ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=mine)
    yield from (Retained("snapshot", snapshot["SnapshotId"], of_stack=False) for snapshot in found)
