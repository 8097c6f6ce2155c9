"""Leftovers in EC2 and IAM, whose tags moto knows."""

from typing import Any

import boto3

from cli.aws.destroy.leftovers import Leftovers
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.platform import file_of


def test_leftovers_in_ec2_are_found_by_their_tags(moto: None) -> None:
    """Karpenter's nodes are among them, which CloudFormation does not know."""
    ec2 = boto3.client("ec2", region_name="us-east-1")
    aws = {"account": "123456789012", "region": "us-east-1"}
    settings = Settings.read(args=file_of("Studio", aws=aws))
    tags = {"instance": "kubernetes.io/cluster/Studio", "volume": "kubernetes.io/cluster/Studio"}
    made = ec2.run_instances(
        ImageId="ami-03cf127a",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": "owned"}]}
            for kind, key in tags.items()
        ],
    )["Instances"][0]
    group = ec2.create_security_group(
        GroupName="a", Description="a", TagSpecifications=_tagged("security-group")
    )["GroupId"]
    interface = ec2.create_network_interface(
        SubnetId=made["SubnetId"], TagSpecifications=_tagged("network-interface")
    )["NetworkInterface"]["NetworkInterfaceId"]
    template = ec2.create_launch_template(
        LaunchTemplateName="karpenter",
        LaunchTemplateData={"ImageId": "ami-03cf127a"},
        TagSpecifications=_tagged("launch-template"),
    )["LaunchTemplate"]["LaunchTemplateId"]
    found = {(one.kind, one.name): one.remedy for one in Leftovers(Aws("us-east-1"), settings)()}
    kinds = [kind for kind, _ in found]

    assert ("instance", made["InstanceId"]) in found
    assert ("security group", group) in found
    assert ("network interface", interface) in found
    assert ("launch template", template) in found
    assert kinds.count("volume") == 1
    assert found["instance", made["InstanceId"]] == (
        f"aws ec2 terminate-instances --instance-ids {made['InstanceId']} --region us-east-1"
    )
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    other = Settings.read(args=file_of("other", aws=aws))
    assert "instance" not in [one.kind for one in Leftovers(Aws("us-east-1"), settings)()]
    assert not Leftovers(Aws("us-east-1"), other)()


def test_what_a_killed_snapshot_left_is_found(moto: None) -> None:
    ec2, iam = (boto3.client(name, region_name="us-east-1") for name in ("ec2", "iam"))
    settings = Settings.read(args=file_of("Studio", aws={"account": "123456789012"}))
    made = ec2.run_instances(
        ImageId="ami-03cf127a",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": "atelier:stack", "Value": "Studio"}]}
        ],
    )["Instances"][0]["InstanceId"]
    names = ("Studio-snapshot-0a1b2c", "Studio-snapshot-of-others")
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    found = [(one.kind, one.name) for one in Leftovers(Aws("us-east-1"), settings)()]

    assert found == [("instance", made), ("instance profile", names[0]), ("role", names[0])]


def test_a_load_balancer_of_the_cluster_is_found(moto: None) -> None:
    ec2, elb = (boto3.client(name, region_name="us-east-1") for name in ("ec2", "elbv2"))
    aws = {"account": "123456789012", "region": "us-east-1"}
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    for name, cluster in (("ours", "Studio"), ("theirs", "other")):
        tags = [{"Key": "elbv2.k8s.aws/cluster", "Value": cluster}]
        elb.create_load_balancer(Name=name, Subnets=subnets, Tags=tags)
    settings = Settings.read(args=file_of("Studio", aws=aws))
    (found,) = Leftovers(Aws("us-east-1"), settings).load_balancers()

    assert "/ours/" in found.name


def _tagged(kind: str) -> list[dict[str, Any]]:
    return [
        {"ResourceType": kind, "Tags": [{"Key": "karpenter.k8s.aws/cluster", "Value": "Studio"}]}
    ]
