import json
from collections.abc import Iterator
from typing import Any

import pytest

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

OF_THE_REFERENCE = {
    "FrontApiEndpoint",
    "GetAPIKeyCommand",
    "OutputS3Bucket",
    "sdNotificationLambdaARN",
    "sdNotificationLambdaArn",
    "sdNotificationOutputARN",
    "sdNotificationOutputArn",
    "ClusterName",
    "ConfigCommand",
    "GetTokenCommand",
    "cloudFrontEntryUrl",
    "cloudFrontEntryId",
    "eksIngressName",
}
NAMES = ("Name", "Domain")
"""Ends of properties' names that name a resource in the whole account, or in all of AWS."""
OF_OTHERS = {
    ("AWS::EC2::EIP", "Domain"),
    ("AWS::EC2::VPCEndpoint", "ServiceName"),
    ("AWS::EKS::Addon", "AddonName"),
    ("AWS::ApiGateway::Stage", "StageName"),
    ("AWS::Lambda::Alias", "Name"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::IAM::Policy", "PolicyName"),
}
"""Properties that name something within another resource, or something of AWS's."""
SERVERLESS = ("Storage/", "Messaging/", "Gateway/")
OF_THE_CLUSTER = ("Network/", "Cluster/", "Karpenter/", "Ray/", "Front/", "Registry/")


def outputs(synthesized: Synthesized) -> dict[str, Any]:
    return {name: each["Value"] for name, each in synthesized.json["Outputs"].items()}


def test_outputs_have_the_names_of_the_reference_system(whole: Synthesized) -> None:
    assert outputs(whole).keys() >= OF_THE_REFERENCE


def test_outputs_say_what_the_reference_systems_do(whole: Synthesized, platform: Platform) -> None:
    said = outputs(whole)
    bucket = graph.named(platform, "Storage/Outputs")

    assert said["OutputS3Bucket"] == {"Fn::GetAtt": [bucket, "Arn"]}
    assert said["sdNotificationLambdaARN"] == {"Ref": "sdNotificationLambdaCfn"}
    assert said["sdNotificationOutputArn"] == {"Ref": "sdNotificationOutputCfn"}
    assert said["ConfigCommand"] == "aws eks update-kubeconfig --region us-west-2 --name Studio"
    assert said["cloudFrontEntryUrl"] == "https://studio.example.com"
    assert said["UserPoolId"] == {"Ref": graph.named(platform, "Front/People/Pool")}


def test_without_the_edge_there_is_no_endpoint_and_tasks_come_by_sns(china: Synthesized) -> None:
    said = outputs(china)

    assert "FrontApiEndpoint" not in said
    assert not china.resources("AWS::ApiGateway::RestApi")
    assert "sdNotificationLambdaARN" in said


def test_everything_is_tagged_with_its_installation(whole: Synthesized) -> None:
    tagged = {
        name: each["Properties"]["Tags"]
        for name, each in whole.json["Resources"].items()
        if "Tags" in each.get("Properties", {})
    }
    kinds = {whole.json["Resources"][name]["Type"] for name in tagged}

    assert kinds >= {
        "AWS::DynamoDB::Table",
        "AWS::EC2::NatGateway",
        "AWS::EKS::Cluster",
        "AWS::EKS::Nodegroup",
        "AWS::Lambda::Function",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
    }
    for name, tags in tagged.items():
        project = {"Project": "Studio"}
        assert project.items() <= _as_mapping(tags).items(), name


def test_system_nodes_and_their_disks_are_tagged_too(whole: Synthesized) -> None:
    (template,) = whole.resources("AWS::EC2::LaunchTemplate").values()
    tagged = {
        each["ResourceType"]: _as_mapping(each["Tags"])["Project"]
        for each in template["Properties"]["LaunchTemplateData"]["TagSpecifications"]
    }

    assert tagged == {"instance": "Studio", "volume": "Studio"}


def test_nothing_of_two_installations_in_one_account_has_the_same_name(
    whole: Synthesized, second: Synthesized
) -> None:
    ours, theirs = {*names(whole)}, {*names(second)}

    assert len(ours) > 30
    assert ours & theirs == set()


def names(synthesized: Synthesized) -> Iterator[tuple[str, str, str]]:
    """Return the explicit names of a stack's resources, without references to others."""
    for resource in synthesized.json["Resources"].values():
        for key, value in resource.get("Properties", {}).items():
            own = key.endswith(NAMES) and (resource["Type"], key) not in OF_OTHERS
            if own and not (isinstance(value, dict) and "Ref" in value):
                yield resource["Type"], key, json.dumps(value)


@pytest.mark.parametrize("part", SERVERLESS)
def test_what_needs_no_cluster_refers_to_none(
    whole: Synthesized, platform: Platform, part: str
) -> None:
    """The serverless half can be deployed without: the embedded AWS has no EKS."""
    paths = graph.paths(platform)
    own = [name for name, path in paths.items() if path.startswith(part)]
    made = [name for name in own if name in whole.json["Resources"]]

    assert made
    for name in made:
        needed = {paths.get(each, "") for each in graph.waits_for(whole.json, name)}
        assert not [path for path in needed if path.startswith(OF_THE_CLUSTER)], paths[name]


def _as_mapping(tags: Any) -> dict[str, str]:
    return tags if isinstance(tags, dict) else {each["Key"]: each["Value"] for each in tags}
