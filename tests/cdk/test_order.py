"""Order in the cluster: what is applied waits for what it stands on, and goes before it.

CloudFormation makes side by side whatever does not wait; the kubectl handler tries once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cdk import graph
from tests.cdk.conftest import Synthesized
from tests.manifests import crds

CHARTS_OF = {
    "ray.io": "kuberay-operator",
    "karpenter.sh": "karpenter-crd",
    "karpenter.k8s.aws": "karpenter-crd",
    "elbv2.k8s.aws": "aws-load-balancer-controller",
}
"""Charts that bring the definitions, by API group."""
ADDONS_OF = {"s3.csi.aws.com": "aws-mountpoint-s3-csi-driver"}


def test_what_is_applied_into_a_namespace_of_ours_waits_for_it(either: Synthesized) -> None:
    """Kubernetes refuses an object of a namespace that does not exist yet."""
    made = {each["metadata"]["name"]: name for name, each in graph.kind(either, "Namespace")}
    asked = [(name, space) for name, space in _namespaces(either) if made.get(space) != name]
    within = [(name, space) for name, space in asked if space in made]

    assert len(within) >= 4
    for name, space in within:
        assert made[space] in graph.waits_for(either.json, name), name


def test_every_namespace_is_made_by_somebody(either: Synthesized) -> None:
    made = {each["metadata"]["name"] for _, each in graph.kind(either, "Namespace")}
    by_charts = {
        chart["Namespace"]
        for _, chart in graph.charts(either).values()
        if chart.get("CreateNamespace")
    }

    assert {space for _, space in _namespaces(either)} <= made | by_charts | {"kube-system"}


def test_an_operator_waits_for_the_namespaces_that_it_has_roles_in(either: Synthesized) -> None:
    """The operator's chart makes roles in them."""
    (namespace,) = (name for name, _ in graph.kind(either, "Namespace"))
    operator, chart = graph.charts(either)["kuberay-operator"]

    assert chart["Values"]["watchNamespace"]
    assert namespace in graph.waits_for(either.json, operator)


def test_a_custom_resource_waits_for_the_chart_that_defines_its_kind(either: Synthesized) -> None:
    charts = {release: name for release, (name, _) in graph.charts(either).items()}
    customs = [(name, each) for name, each in graph.applied(either) if crds.is_custom(each)]

    assert len(customs) >= 4
    for name, each in customs:
        group = each["apiVersion"].partition("/")[0]
        assert charts[CHARTS_OF[group]] in graph.waits_for(either.json, name), each["kind"]


def test_the_controller_waits_for_all_that_its_role_may_do(either: Synthesized) -> None:
    """The controller would be refused when it starts, and its chart rolled back."""
    releases = {_pods(chart): name for name, chart in graph.charts(either).values()}
    associations = either.resources("AWS::EKS::PodIdentityAssociation")
    found = 0
    for association in associations.values():
        given = association["Properties"]
        release = releases.get((given["Namespace"], given["ServiceAccount"]))
        if release is not None:
            role = given["RoleArn"]["Fn::GetAtt"][0]
            found += 1
            assert _policies(either, role) <= graph.waits_for(either.json, release), release

    assert found


def test_mounted_weights_wait_for_their_driver(either: Synthesized) -> None:
    addons = {
        each["Properties"]["AddonName"]: name
        for name, each in either.resources("AWS::EKS::Addon").items()
    }
    for name, volume in graph.kind(either, "PersistentVolume"):
        driver = addons[ADDONS_OF[volume["spec"]["csi"]["driver"]]]
        assert driver in graph.waits_for(either.json, name)


def test_pods_wait_for_their_identities_and_what_these_may_do(either: Synthesized) -> None:
    (service,) = (name for name, _ in graph.kind(either, "RayService"))
    accounts = {each["metadata"]["name"] for _, each in graph.kind(either, "ServiceAccount")}
    ours = {
        name: each["Properties"]["RoleArn"]["Fn::GetAtt"][0]
        for name, each in either.resources("AWS::EKS::PodIdentityAssociation").items()
        if each["Properties"]["ServiceAccount"] in accounts
    }
    waited = graph.waits_for(either.json, service)

    assert len(ours) == 2
    for association, role in ours.items():
        assert association in waited
        assert _policies(either, role) <= waited


def _namespaces(made: Synthesized) -> Iterator[tuple[str, str]]:
    """Return appliers and charts, each with the namespaces that it puts something in."""
    for name, each in graph.applied(made):
        if space := each["metadata"].get("namespace"):
            yield name, space
    for name, chart in made.resources(graph.CHART).items():
        if not chart["Properties"].get("CreateNamespace"):
            yield name, chart["Properties"]["Namespace"]


def _pods(chart: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return namespace and service account of a chart's own pods."""
    return chart["Namespace"], chart["Values"].get("serviceAccount", {}).get("name")


def _policies(made: Synthesized, role: str) -> set[str]:
    kinds = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    policies = {name: each for kind in kinds for name, each in made.resources(kind).items()}
    return {name for name, each in policies.items() if {"Ref": role} in each["Properties"]["Roles"]}
