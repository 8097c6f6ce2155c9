"""Deletion of data that a stack retains."""

from typing import Any

import boto3

from cli.aws.destroy.erase import erase
from cli.aws.retained import Retained, retained
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.platform import client, file_of, unique


def test_snapshots_are_kept_and_can_be_erased(moto: None) -> None:
    ec2 = boto3.client("ec2", region_name="us-east-1")
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    specs = [{"ResourceType": "snapshot", "Tags": [{"Key": "atelier:stack", "Value": "Studio"}]}]
    made = ec2.create_snapshot(VolumeId=volume, TagSpecifications=specs)["SnapshotId"]
    aws = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args=file_of("Studio", aws=aws))
    there = Aws("us-east-1")
    kept = list(retained(there, settings))
    for one in kept:
        erase(there, one)

    assert kept == [Retained("snapshot", made, of_stack=False)]
    assert not list(retained(there, settings))


def test_a_protected_table_is_erased(signed_in: Any) -> None:
    name = unique()
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        DeletionProtectionEnabled=True,
    )
    erase(Aws("us-east-1"), Retained("table", name))

    assert name not in dynamodb.list_tables()["TableNames"]
