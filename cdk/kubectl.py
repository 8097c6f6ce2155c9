"""kubectl handler: CDK's own function that applies charts and manifests in the cluster.

It administers the cluster, with permissions that CDK chooses; the findings of cdk-nag on those that
are wider than ours are acknowledged here.
"""

import json
from collections.abc import Iterator
from typing import cast

from aws_cdk import Stack
from aws_cdk.aws_eks_v2 import Cluster
from aws_cdk.aws_iam import CfnRole
from aws_cdk.aws_lambda import CfnFunction
from aws_cdk.aws_s3_assets import Asset
from constructs import IConstruct

from cdk.nag import acknowledge, acknowledge_managed_policies, acknowledge_resources

_PROVIDER = "KubectlProvider"
_POLICIES = (
    "AmazonEC2ContainerRegistryReadOnly",
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
)
_READ_ACTIONS = ("GetBucket", "GetObject", "List")


def acknowledge_provider(cluster: Cluster) -> None:
    """Acknowledge the findings on CDK's own provider, each by its name."""
    provider = cluster.node.find_child(_PROVIDER)
    handler = provider.node.find_child("Handler")
    acknowledge(handler, "L1", "CDK says which Python its handler runs on.")
    acknowledge_managed_policies(
        provider, "It logs, is in the network, and pulls charts.", *_POLICIES
    )
    for policy in _partition_policies(handler):
        acknowledge(handler, f"IAM4[Policy::{policy}]", "It pulls charts from the public registry.")
    function = cast("CfnFunction", handler.node.default_child)
    acknowledge_resources(provider, "Whichever version of its function.", f"{function.attr_arn}:*")


def acknowledge_chart(cluster: Cluster, chart: Asset) -> None:
    """Acknowledge that the handler may read a chart of ours from the bucket of CDK's assets."""
    handler = cluster.node.find_child(_PROVIDER).node.find_child("Handler")
    why = "It reads charts from the bucket of CDK's own assets."
    acknowledge_resources(handler, why, chart.bucket.arn_for_objects("*"))
    for read in _READ_ACTIONS:
        acknowledge(handler, f"IAM5[Action::s3:{read}*]", why)


def _partition_policies(handler: IConstruct) -> Iterator[str]:
    """List managed policies that only some partitions have, as cdk-nag writes their `Fn::If`."""
    role = cast("CfnRole", handler.node.find_child("ServiceRole").node.default_child)
    for policy in Stack.of(role).resolve(role.managed_policy_arns):
        if "Fn::If" in policy:
            yield json.dumps(policy, separators=(",", ":"))
