import re

from aws_cdk.assertions import Match, Template

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized
from tests.docs.pages import ROOT

A, B = "subnet-0123456789abcdef0", "subnet-0123456789abcdef1"
NETWORK = {
    "AWS::EC2::VPC",
    "AWS::EC2::Subnet",
    "AWS::EC2::NatGateway",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::RouteTable",
    "AWS::EC2::VPCEndpoint",
}


def test_each_zone_has_a_public_and_a_private_subnet(whole: Synthesized) -> None:
    subnets = [each["Properties"] for each in whole.resources("AWS::EC2::Subnet").values()]

    assert sorted(each["AvailabilityZone"] for each in subnets) == sorted(
        2 * ["us-west-2a", "us-west-2b", "us-west-2c"]
    )
    assert {each["CidrBlock"].rpartition("/")[2] for each in subnets} == {"19"}
    assert not any(each["MapPublicIpOnLaunch"] for each in subnets)


def test_there_are_as_many_nat_gateways_as_the_settings_say(template: Template) -> None:
    template.resource_count_is("AWS::EC2::NatGateway", 1)


def test_s3_and_dynamodb_are_reached_past_the_nat_gateway(
    whole: Synthesized, platform: Platform
) -> None:
    endpoints = [each["Properties"] for each in whole.resources("AWS::EC2::VPCEndpoint").values()]
    private = {
        name
        for name, path in graph.paths(platform).items()
        if path.startswith("Network/Vpc/Private") and path.endswith("/RouteTable")
    }

    services = {each["ServiceName"]["Fn::Join"][1][-1] for each in endpoints}
    assert services == {".s3", ".dynamodb"}
    assert len(private) == 3
    for each in endpoints:
        assert each["VpcEndpointType"] == "Gateway"
        assert private <= {table["Ref"] for table in each["RouteTableIds"]}


def test_documents_that_speak_of_images_and_the_nat_gateway_name_the_endpoints() -> None:
    """Images of the account's own registry, whose layers are in S3, do not pass the gateway."""
    for page in ("docs/cost.md", "docs/deploy.md", "docs/operations.md"):
        paragraphs = re.split(r"\n\n|\n- ", (ROOT / page).read_text())
        told = [" ".join(each.split()) for each in paragraphs if "```" not in each]
        told = [each for each in told if "NAT gateway" in each and "images" in each]

        assert told, page
        assert all("gateway endpoints for S3 and DynamoDB" in each for each in told), page


def test_karpenter_finds_the_private_subnets_by_a_tag(whole: Synthesized) -> None:
    found = {
        name
        for name, subnet in whole.resources("AWS::EC2::Subnet").items()
        if {"Key": "karpenter.sh/discovery", "Value": "Studio"} in subnet["Properties"]["Tags"]
    }

    assert len(found) == 3
    assert all("Private" in name for name in found)


def test_what_the_network_refused_is_logged_and_not_kept_for_ever(template: Template) -> None:
    template.has_resource_properties("AWS::EC2::FlowLog", {"TrafficType": "REJECT"})
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"LogGroupName": Match.absent(), "RetentionInDays": 30}
    )


def test_a_network_that_is_there_is_used_and_not_changed(
    china: Synthesized,
) -> None:
    kinds = {each["Type"] for each in china.json["Resources"].values()}
    (cluster,) = china.resources("AWS::EKS::Cluster").values()
    (nodes,) = china.resources("AWS::EKS::Nodegroup").values()

    assert not kinds & NETWORK
    assert cluster["Properties"]["ResourcesVpcConfig"]["SubnetIds"] == [A, B]
    assert nodes["Properties"]["Subnets"] == [A, B]
    node_classes = [each for _, each in graph.kind(china, "EC2NodeClass")]
    assert node_classes
    for each in node_classes:
        assert each["spec"]["subnetSelectorTerms"] == [{"id": A}, {"id": B}]
