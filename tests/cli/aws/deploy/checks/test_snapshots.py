"""Check the EBS snapshots that nodes start with."""

import boto3
import pytest
from moto.ec2.models import ec2_backends

from cli.aws.deploy.checks.snapshots import snapshots
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import REGION, runtime, wanted


@pytest.fixture
def snapshot(moto: None) -> str:
    """Make a snapshot of 100 GiB, the default size of a node's data volume."""
    ec2 = boto3.client("ec2", region_name=REGION)
    volume = ec2.create_volume(Size=100, AvailabilityZone=f"{REGION}a")["VolumeId"]
    return str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"])


def test_a_snapshot_that_fits_is_there(aws: Aws, snapshot: str) -> None:
    assert [one.state for one in snapshots(aws, on(snapshot))] == ["there"]
    assert not [*snapshots(aws, wanted())]


def test_a_snapshot_that_is_not_there_is_missing(aws: Aws) -> None:
    (found,) = snapshots(aws, on("snap-0a"))

    assert (found.state, found.text) == ("missing", "snap-0a is not in this region")


def test_a_snapshot_larger_than_its_volume_is_refused(aws: Aws, snapshot: str) -> None:
    (found,) = snapshots(aws, on(snapshot, size=99))

    assert found.state == "missing"
    assert found.text == f"{snapshot} has 100 GiB, nodes.dataVolume 99"


def test_a_snapshot_that_is_not_whole_is_refused(aws: Aws, snapshot: str) -> None:
    ec2_backends["123456789012"][REGION].snapshots[snapshot].status = "pending"
    (found,) = snapshots(aws, on(snapshot))

    assert (found.state, found.text) == ("missing", f"{snapshot} is pending")


def on(snapshot: str, size: int = 100) -> Settings:
    cached = {"imageCache": "ebs-snapshot", "snapshot": snapshot, "dataVolume": {"size": size}}
    return wanted(modelsRuntime=[runtime(nodes=cached)])
