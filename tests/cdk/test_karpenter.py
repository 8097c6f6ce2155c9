from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_cdk.assertions import Template

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

EVENTS = {
    "AWS Health Event",
    "EC2 Spot Instance Interruption Warning",
    "EC2 Instance Rebalance Recommendation",
    "EC2 Instance State-change Notification",
    "EC2 Capacity Reservation Instance Interruption Warning",
}
OWNED = "aws:ResourceTag/kubernetes.io/cluster/Studio"
ASKED = "aws:RequestTag/kubernetes.io/cluster/Studio"


@pytest.fixture
def role(platform: Platform) -> str:
    return graph.named(platform, "Karpenter/Controller/Role")


def allowing(whole: Synthesized, role: str, action: str) -> Iterator[Mapping[str, Any]]:
    for each in graph.statements(whole.json, role):
        if action in graph.listed(each["Action"]):
            yield each


def resources(statement: Mapping[str, Any]) -> set[str]:
    """Return the resource types of a statement: ``instance``, ``volume``."""
    joined = (each["Fn::Join"][1][-1] for each in graph.listed(statement["Resource"]))
    return {each.rsplit(":", 1)[1].partition("/")[0] for each in joined}


def test_its_permissions_are_in_six_policies(whole: Synthesized, role: str) -> None:
    policies = whole.resources("AWS::IAM::ManagedPolicy").values()

    assert len([each for each in policies if each["Properties"]["Roles"] == [{"Ref": role}]]) == 6


def test_it_launches_only_what_it_tags_as_its_clusters(whole: Synthesized, role: str) -> None:
    for each in allowing(whole, role, "ec2:RunInstances"):
        if "instance" in resources(each):
            equals = each["Condition"]["StringEquals"]
            assert equals[ASKED] == "owned"
            assert equals["aws:RequestTag/eks:eks-cluster-name"] == "Studio"
            break
    else:
        pytest.fail("it may launch nothing")


@pytest.mark.parametrize("action", ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"])
def test_it_ends_only_what_is_its_clusters(whole: Synthesized, role: str, action: str) -> None:
    (each,) = allowing(whole, role, action)

    assert each["Condition"]["StringEquals"] == {OWNED: "owned"}


def test_it_tags_only_what_it_makes_and_its_own_instances(whole: Synthesized, role: str) -> None:
    made, later = allowing(whole, role, "ec2:CreateTags")

    assert made["Condition"]["StringEquals"]["ec2:CreateAction"]
    assert resources(later) == {"instance"}
    assert later["Condition"]["StringEquals"] == {OWNED: "owned"}


def test_it_passes_the_role_of_gpu_nodes_and_no_other(
    whole: Synthesized, platform: Platform, role: str
) -> None:
    (each,) = allowing(whole, role, "iam:PassRole")

    nodes = graph.named(platform, "Karpenter/NodeRole")
    assert each["Resource"] == {"Fn::GetAtt": [nodes, "Arn"]}
    assert "iam:PassedToService" in each["Condition"]["StringEquals"]


def test_it_changes_no_role_and_no_profile(whole: Synthesized, role: str) -> None:
    iam = {action for action in graph.actions(whole.json, role) if action.startswith("iam:")}

    assert iam == {"iam:PassRole", "iam:GetInstanceProfile", "iam:ListInstanceProfiles"}


def test_a_warning_is_kept_for_five_minutes(template: Template) -> None:
    template.has_resource_properties(
        "AWS::SQS::Queue",
        {"QueueName": "studio-interruptions", "MessageRetentionPeriod": 300},
    )


def test_five_kinds_of_events_warn_it(whole: Synthesized, platform: Platform) -> None:
    queue = {"Fn::GetAtt": [graph.named(platform, "Karpenter/Interruptions"), "Arn"]}
    rules = [
        each["Properties"]
        for each in whole.resources("AWS::Events::Rule").values()
        if [target["Arn"] for target in each["Properties"]["Targets"]] == [queue]
    ]

    assert len(rules) == 5
    assert {kind for each in rules for kind in each["EventPattern"]["detail-type"]} == EVENTS


def test_only_those_rules_send_into_its_queue(whole: Synthesized, platform: Platform) -> None:
    queue = {"Ref": graph.named(platform, "Karpenter/Interruptions")}
    (policy,) = (
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in whole.resources("AWS::SQS::QueuePolicy").values()
        if each["Properties"]["Queues"] == [queue]
    )
    allowed = [each for each in policy if each["Effect"] == "Allow"]

    assert len(allowed) == 5
    for each in allowed:
        assert each["Principal"] == {"Service": "events.amazonaws.com"}
        assert "aws:SourceArn" in each["Condition"]["ArnEquals"]


def test_gpu_nodes_may_join_the_cluster(template: Template, platform: Platform) -> None:
    nodes = graph.named(platform, "Karpenter/NodeRole")
    template.has_resource_properties(
        "AWS::EKS::AccessEntry",
        {
            "PrincipalArn": {"Fn::GetAtt": [nodes, "Arn"]},
            "Type": "EC2_LINUX",
            "AccessPolicies": [],
        },
    )


def test_gpu_nodes_have_the_profile_that_the_stack_made(
    whole: Synthesized, platform: Platform
) -> None:
    profile = graph.named(platform, "Karpenter/NodeProfile")
    made = whole.json["Resources"][profile]["Properties"]["Roles"]
    classes = [each["spec"] for _, each in graph.kind(whole, "EC2NodeClass")]

    assert made == [{"Ref": graph.named(platform, "Karpenter/NodeRole")}]
    assert {each["instanceProfile"] for each in classes} == {f"<{profile}>"}


def test_node_pools_go_before_karpenter_and_karpenter_before_its_definitions(
    whole: Synthesized,
) -> None:
    charts = graph.charts(whole)
    karpenter, definitions = charts["karpenter"][0], charts["karpenter-crd"][0]
    (pools,) = {applier for applier, _ in graph.kind(whole, "NodePool")}

    assert karpenter in graph.waits_for(whole.json, pools)
    assert definitions in graph.waits_for(whole.json, karpenter)


def test_node_pools_go_before_all_that_ends_their_nodes(
    whole: Synthesized, platform: Platform
) -> None:
    """A deletion would else leave instances behind, which nobody ends."""
    (pools,) = {applier for applier, _ in graph.kind(whole, "NodePool")}
    needed = {
        *whole.resources("AWS::IAM::ManagedPolicy"),
        graph.named(platform, "Karpenter/NodeAccess"),
        graph.named(platform, "Karpenter/Controller/Association"),
        graph.named(platform, "Karpenter/Interruptions"),
    }

    assert len(needed) == 9
    assert needed <= graph.waits_for(whole.json, pools)


def test_it_is_told_its_cluster_its_queue_and_its_region(
    whole: Synthesized, platform: Platform
) -> None:
    _, chart = graph.charts(whole)["karpenter"]
    queue = graph.named(platform, "Karpenter/Interruptions")

    assert chart["Version"] == "1.14.1"
    assert chart["Repository"] == "oci://public.ecr.aws/karpenter/karpenter"
    assert chart["Values"]["settings"] == {
        "clusterName": "Studio",
        "interruptionQueue": f"<{queue}.QueueName>",
    }
    assert {"name": "AWS_REGION", "value": "us-west-2"} in chart["Values"]["controller"]["env"]


def test_on_one_node_there_is_one_of_it(china: Synthesized) -> None:
    """A second would wait for a node of its own for ever, and the chart with it."""
    _, chart = graph.charts(china)["karpenter"]

    assert chart["Values"]["replicas"] == 1
