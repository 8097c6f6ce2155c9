"""Check the EBS snapshots that nodes start with."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, code_of
from models.settings import Settings
from models.settings.nodes import Nodes

_NONE = frozenset({"InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"})


def snapshots(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that each snapshot exists, is completed, and fits the volume that is made from it."""
    for runtime in settings.models_runtime:
        if runtime.nodes.snapshot is not None:
            yield _finding(
                aws, f"snapshot of {runtime.name}", runtime.nodes.snapshot, runtime.nodes
            )


def _finding(aws: Aws, name: str, snapshot: str, nodes: Nodes) -> Finding:
    try:
        (described,) = aws.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    except ClientError as exc:
        if code_of(exc) not in _NONE:
            raise
        text = f"{snapshot} is not in this region"
        return Finding(name, "missing", text, "`atelier aws deploy -S` makes one")
    size, volume_size = described["VolumeSize"], nodes.data_volume.size
    if described["State"] != "completed":
        return Finding(
            name, "missing", f"{snapshot} is {described['State']}", "wait until it is completed"
        )
    if size > volume_size:
        text = f"{snapshot} has {size} GiB, nodes.dataVolume {volume_size}"
        return Finding(name, "missing", text, "raise nodes.dataVolume.size")
    return Finding(name, "there", snapshot)
