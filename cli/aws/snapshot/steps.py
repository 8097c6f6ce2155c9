"""Steps of `atelier aws snapshot`.

Put images on an EBS volume, so that new nodes need not pull them.

A temporary instance with Bottlerocket, as the GPU nodes have it, pulls them onto its second volume;
of that a snapshot is made. Whatever happens, the instance and its role go.
"""

from collections.abc import Callable

from cli.aws.sdk import Aws
from cli.aws.snapshot.builder import PREPARE, BuilderInstance, pull_script
from cli.aws.snapshot.instance import DISK, temporary_instance
from cli.aws.snapshot.recipe import Recipe

_SNAPSHOT = {"Delay": 15, "MaxAttempts": 240}  # an hour; boto3's own are ten minutes


def make_snapshot(aws: Aws, recipe: Recipe, note: Callable[[str], None]) -> str:
    """Make a snapshot, or find one that was made by the same recipe; return its id.

    Raises:
        AwsError: an image could not be pulled, or AWS refused; nothing is left of the attempt.
    """
    known = existing_snapshot(aws, recipe)
    if known:
        note(f"{known} has these images already")
        return known
    with temporary_instance(aws, recipe, note) as instance:
        builder = BuilderInstance(aws, instance)
        note("waiting for its agent")
        builder.run(PREPARE)
        for image in recipe.images:
            note(f"pulling {image}")
            builder.run(pull_script(image))
        ec2 = aws.client("ec2")
        # Stopped first: what the file system still holds in memory is on the volume then.
        ec2.stop_instances(InstanceIds=[instance])
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance])
        note("making the snapshot")
        return _create_snapshot(aws, recipe, _image_volume(aws, instance))


def existing_snapshot(aws: Aws, recipe: Recipe) -> str | None:
    """Return the newest completed snapshot of the same images and size; None if there is none."""
    filters = [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]} for tag in recipe.tags]
    found = aws.paginated(
        "ec2",
        "describe_snapshots",
        "Snapshots",
        OwnerIds=["self"],
        Filters=[*filters, {"Name": "status", "Values": ["completed"]}],
    )
    fitting = [
        snapshot
        for snapshot in found
        if snapshot["VolumeSize"] == recipe.size and (snapshot["Encrypted"] or not recipe.encrypt)
    ]
    newest = max(fitting, key=lambda snapshot: snapshot["StartTime"], default=None)
    return str(newest["SnapshotId"]) if newest else None


def _create_snapshot(aws: Aws, recipe: Recipe, volume: str) -> str:
    """Snapshot the stopped instance's volume, for up to an hour; an incomplete one is deleted."""
    ec2 = aws.client("ec2")
    snapshot = ec2.create_snapshot(
        VolumeId=volume,
        Description=f"Images of {recipe.stack}",
        TagSpecifications=[{"ResourceType": "snapshot", "Tags": recipe.tags}],
    )["SnapshotId"]
    try:
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig=_SNAPSHOT)
    except BaseException:
        # Ctrl-C as well: what nobody waits for any more would be finished, and cost.
        ec2.delete_snapshot(SnapshotId=snapshot)
        raise
    return str(snapshot)


def _image_volume(aws: Aws, instance: str) -> str:
    described = aws.client("ec2").describe_instances(InstanceIds=[instance])
    disks = described["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    (volume,) = (disk["Ebs"]["VolumeId"] for disk in disks if disk["DeviceName"] == DISK)
    return str(volume)
