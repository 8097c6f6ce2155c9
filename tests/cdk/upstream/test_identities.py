"""Roles reach pods by namespace and service account: each pair must be that of some pod.

EKS makes an association for a pair that nobody has, and says nothing; the pods have no credentials.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from cdk.stack import Platform
from tests.cdk import graph
from tests.cdk.conftest import Synthesized
from tests.cdk.upstream.checkouts import CLOUDWATCH, MOUNTPOINT, Checkout

Pod = tuple[str, str]
"""Namespace and service account."""

NETWORK: Pod = ("kube-system", "aws-node")
"""Network plugin: docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html (2026-11-29)."""
DRIVER: Pod = ("kube-system", "s3-csi-driver-sa")
AGENT: Pod = ("amazon-cloudwatch", "cloudwatch-agent")
OF_ADDONS = {
    "vpc-cni": NETWORK,
    "aws-mountpoint-s3-csi-driver": DRIVER,
    "amazon-cloudwatch-observability": AGENT,
}
"""Service accounts of the add-ons' pods that call AWS."""


def test_each_identity_is_that_of_pods_that_there_are(either: Synthesized) -> None:
    there = {*_of_addons(either), *_of_charts(either), *_of_manifests(either)}
    given = [*_associations(either)]

    assert len(given) >= 6
    assert [pod for pod in given if pod not in there] == []


def test_each_add_on_that_calls_aws_has_an_identity(either: Synthesized) -> None:
    assert {*OF_ADDONS.values()} <= {*_associations(either)}


def test_each_service_account_of_ours_has_an_identity_but_the_heads(either: Synthesized) -> None:
    """The head calls no AWS, and its pods are those that people reach."""
    without = {*_of_manifests(either)} - {*_associations(either)}

    assert [account.endswith("-head") for _, account in without] == [True]


def test_pods_of_ours_run_under_service_accounts_that_there_are(either: Synthesized) -> None:
    there = {account for _, account in _of_manifests(either)}

    assert {*_accounts(graph.kind(either, "RayService"))} == there


def test_no_two_roles_are_for_the_same_pods(either: Synthesized) -> None:
    """EKS refuses the second association."""
    given = [*_associations(either)]

    assert len(given) == len({*given})


@pytest.mark.parametrize(
    ("checkout", "path", "text"),
    [
        (MOUNTPOINT, "{chart}/values.yaml", f"name: {DRIVER[1]}"),
        (MOUNTPOINT, "docs/INSTALL.md", f"--namespace {DRIVER[0]}"),
        (MOUNTPOINT, "docs/CONFIGURATION.md", f"service account `{DRIVER[1]}`"),
        (CLOUDWATCH, "{chart}/templates/_helpers.tpl", f'default "{AGENT[1]}" .Values.agent.name'),
        (CLOUDWATCH, "{chart}/README.md", f"--namespace {AGENT[0]}"),
    ],
)
def test_the_pods_of_an_add_on_are_called_so_by_its_makers(
    checkout: Checkout, path: str, text: str
) -> None:
    assert text in checkout.text(path.format(chart=checkout.chart))


def test_the_stack_says_who_a_role_is_for_as_eks_is_told(
    whole: Synthesized, platform: Platform
) -> None:
    roles = whole.resources("AWS::IAM::Role")
    said = {role["Properties"].get("Description", "") for role in roles.values()}

    assert {f"Pods of {'/'.join(pod)}" for pod in _associations(whole)} <= said
    assert platform.cluster.addons.mount.service_account == DRIVER[1]


def _associations(made: Synthesized) -> Iterator[Pod]:
    for each in made.resources("AWS::EKS::PodIdentityAssociation").values():
        yield each["Properties"]["Namespace"], each["Properties"]["ServiceAccount"]


def _of_addons(made: Synthesized) -> Iterator[Pod]:
    for each in made.resources("AWS::EKS::Addon").values():
        if each["Properties"]["AddonName"] in OF_ADDONS:
            yield OF_ADDONS[each["Properties"]["AddonName"]]


def _of_charts(made: Synthesized) -> Iterator[Pod]:
    for _, chart in graph.charts(made).values():
        if account := chart["Values"].get("serviceAccount", {}).get("name"):
            yield chart["Namespace"], account


def _of_manifests(made: Synthesized) -> Iterator[Pod]:
    for _, each in graph.kind(made, "ServiceAccount"):
        yield each["metadata"]["namespace"], each["metadata"]["name"]


def _accounts(value: Any) -> Iterator[str]:
    """Find service accounts that pods name, however deep."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from [inner] if key == "serviceAccountName" else _accounts(inner)
        case list() | tuple():
            for inner in value:
                yield from _accounts(inner)
