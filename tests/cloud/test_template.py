"""Half of a template that needs no cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.settings import Settings
from samples.cloud.deploy import Cloud
from samples.cloud.template import serverless

CLUSTER = {"Type": "AWS::EKS::Cluster", "Properties": {}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "tasks"}}


def kept(**resources: Any) -> dict[str, Any]:
    template = serverless({"Resources": {"Cluster": CLUSTER, "Queue": QUEUE, **resources}})
    return dict(template["Resources"])


def test_what_needs_no_cluster_stays_as_it_is() -> None:
    assert kept() == {"Queue": QUEUE}


@pytest.mark.parametrize(
    "tie",
    [
        {"Properties": {"Name": {"Ref": "Cluster"}}},
        {"Properties": {"Name": {"Fn::Join": ["", ["a", {"Fn::GetAtt": ["Cluster", "Arn"]}]]}}},
        {"Properties": {"Name": {"Fn::Sub": "of-${Cluster.Arn}"}}},
        {"Properties": {}, "DependsOn": ["Queue", "Cluster"]},
        {"Properties": {}, "DependsOn": "Cluster"},
    ],
)
def test_what_refers_to_the_cluster_goes_with_it(tie: dict[str, Any]) -> None:
    rule = {"Type": "AWS::Events::Rule", **tie}
    behind = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Rule"}]}}

    assert set(kept(Rule=rule, Behind=behind)) == {"Queue"}


def test_a_pods_role_stays_and_trusts_the_account() -> None:
    trust = {"Statement": [{"Condition": {"Fn::GetAtt": ["Cluster", "Arn"]}}]}
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trust, "Description": "of a pod"},
    }
    policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}]}}

    found = kept(Role=role, Policy=policy)

    assert found["Policy"] == policy
    assert found["Role"]["Properties"]["Description"] == "of a pod"
    [statement] = found["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "AWS::AccountId"}}


def test_what_the_emulator_does_not_have_goes() -> None:
    computed = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": []}}
    plain = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "a"}}
    layer = {"Type": "AWS::Lambda::LayerVersion", "Properties": {}}
    custom = {"Type": "Custom::Something", "Properties": {}}

    found = kept(Computed=computed, Plain=plain, Layer=layer, Custom=custom)

    assert set(found) == {"Queue", "Plain"}


def test_outputs_of_what_is_gone_go() -> None:
    outputs = {"A": {"Value": {"Ref": "Queue"}}, "B": {"Value": {"Ref": "Cluster"}}}

    found = serverless({"Resources": {"Cluster": CLUSTER, "Queue": QUEUE}, "Outputs": outputs})

    assert set(found["Outputs"]) == {"A"}


def test_all_of_storage_messages_and_the_front_is_made(
    cloud: Cloud, cdk_out: Path, settings: Settings
) -> None:
    """The rule leaves nothing out of these, whatever they come to hold."""
    path = cdk_out / f"{settings.stack_name}Stack.template.json"
    parts = ("Storage", "Messaging", "Gateway", "sdNotification")
    wanted = {name for name in json.loads(path.read_text())["Resources"] if name.startswith(parts)}

    assert len(wanted) > 50
    assert wanted <= cloud.made.keys()
