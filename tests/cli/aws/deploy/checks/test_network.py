"""Checks of the region's zones, and of subnets in an existing network."""

import boto3

from cli.aws.deploy.checks.network import subnets, zones
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import REGION, wanted


def test_a_zone_that_is_not_there_is_named_with_those_that_are(aws: Aws) -> None:
    (found,) = zones(aws, wanted(vpc={"zones": ["a", "z"]}))

    assert (found.state, found.text) == ("missing", "us-west-2z")
    assert found.remedy == "choose vpc.zones among a, b, c, d"


def test_a_zone_where_eks_is_not_is_told_by_its_id(moto: None) -> None:
    """Letters of zones differ from account to account; ids do not."""
    region = "us-east-1"
    there = boto3.client("ec2", region_name=region).describe_availability_zones()
    letter = {each["ZoneId"]: each["ZoneName"][-1] for each in there["AvailabilityZones"]}
    without = letter["use1-az3"]
    settings = wanted(vpc={"zones": [letter["use1-az1"], without]}, region=region)
    (found,) = zones(Aws(region), settings)

    assert found.state == "missing"
    assert found.text == f"us-east-1{without} (use1-az3, where EKS is not)"
    assert without not in found.remedy.partition("among ")[2].split(", ")


def test_zones_that_are_there_are_fine(aws: Aws) -> None:
    assert [one.state for one in zones(aws, wanted())] == ["there"]


def test_subnets_of_the_network_in_their_zones_are_fine(aws: Aws) -> None:
    vpc, (a, b, _) = _network("10.1")

    assert [one.state for one in subnets(aws, _on(vpc, a, b, public=[b, a]))] == ["there"]


def test_each_subnet_that_is_astray_is_named(aws: Aws) -> None:
    vpc, (a, _, c) = _network("10.1")
    _, (_, foreign, _) = _network("10.2")
    (found,) = subnets(aws, _on(vpc, c, foreign, public=["subnet-0a", a]))
    told = found.text.split("; ")

    assert found.state == "missing"
    assert told[0] == f"{c} is in us-west-2c, not in us-west-2a"
    assert told[1].startswith(f"{foreign} is in vpc-")
    assert told[2:] == ["subnet-0a is not there"]


def test_a_new_network_has_no_subnets_to_look_at(aws: Aws) -> None:
    assert not [*subnets(aws, wanted())]


def _network(prefix: str) -> tuple[str, list[str]]:
    """A network with a subnet in each of three zones."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"{prefix}.{n}.0/24", AvailabilityZone=f"{REGION}{letter}"
        )
        for n, letter in enumerate("abc")
    ]
    return vpc, [each["Subnet"]["SubnetId"] for each in made]


def _on(vpc: str, *private: str, public: list[str]) -> Settings:
    there = {"id": vpc, "zones": ["a", "b"], "privateSubnets": private, "publicSubnets": public}
    return wanted(vpc=there)
