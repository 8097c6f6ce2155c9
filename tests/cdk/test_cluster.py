import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk.assertions import Match, Template

from cdk.stack import Platform
from models.addons import ADDONS
from models.settings import Settings
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

NODES = "Cluster/Eks/NodegroupNodes"


def the(synthesized: Synthesized, kind: str) -> dict[str, Any]:
    (only,) = synthesized.resources(kind).values()
    properties: dict[str, Any] = only["Properties"]
    return properties


def addons(synthesized: Synthesized) -> Mapping[str, tuple[str, dict[str, Any]]]:
    return {
        each["Properties"]["AddonName"]: (name, each["Properties"])
        for name, each in synthesized.resources("AWS::EKS::Addon").items()
    }


def test_the_cluster_lets_in_whom_it_names_and_not_who_made_it(whole: Synthesized) -> None:
    cluster = the(whole, "AWS::EKS::Cluster")

    assert cluster["Name"] == "Studio"
    assert cluster["Version"] == "1.36"
    assert cluster["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    assert cluster["BootstrapSelfManagedAddons"] is False
    assert "ComputeConfig" not in cluster or not cluster["ComputeConfig"].get("Enabled")


def test_admins_are_let_in_by_name(china: Synthesized) -> None:
    entries = [e["Properties"] for e in china.resources("AWS::EKS::AccessEntry").values()]
    admin = "arn:aws-cn:iam::111122223333:role/operators"
    (policies,) = (e["AccessPolicies"] for e in entries if e["PrincipalArn"] == admin)

    assert [each["AccessScope"] for each in policies] == [{"Type": "cluster"}]
    assert "AmazonEKSClusterAdminPolicy" in json.dumps(policies)


def test_without_addresses_that_may_call_it_the_api_is_private(
    whole: Synthesized, china: Synthesized
) -> None:
    open_ = the(whole, "AWS::EKS::Cluster")["ResourcesVpcConfig"]
    closed = the(china, "AWS::EKS::Cluster")["ResourcesVpcConfig"]

    assert (open_["EndpointPublicAccess"], open_["EndpointPrivateAccess"]) == (True, True)
    assert (closed["EndpointPublicAccess"], closed["EndpointPrivateAccess"]) == (False, True)


def test_logs_of_the_control_plane_are_kept_for_a_month(
    whole: Synthesized, platform: Platform
) -> None:
    logged = the(whole, "AWS::EKS::Cluster")["Logging"]["ClusterLogging"]["EnabledTypes"]
    log = whole.json["Resources"][graph.named(platform, "Cluster/Log")]
    cluster = graph.named(platform, "Cluster/Eks")

    assert {each["Type"] for each in logged} >= {"api", "audit", "authenticator"}
    assert log["Properties"]["LogGroupName"] == "/aws/eks/Studio/cluster"
    assert log["Properties"]["RetentionInDays"] == 30
    assert graph.named(platform, "Cluster/Log") in graph.waits_for(whole.json, cluster)


def test_kubectl_is_at_most_one_version_away_from_the_cluster(either: Synthesized) -> None:
    """Kubernetes supports no more (https://kubernetes.io/releases/version-skew-policy)."""
    layers = [each["Properties"] for each in either.resources("AWS::Lambda::LayerVersion").values()]
    told = " ".join(str(layer.get("Description")) for layer in layers)
    (kubectl,) = re.findall(r"kubectl/kubectl 1\.(\d+)", told)
    cluster = the(either, "AWS::EKS::Cluster")["Version"].removeprefix("1.")

    assert abs(int(kubectl) - int(cluster)) <= 1


def test_every_add_on_is_pinned(whole: Synthesized) -> None:
    found = {name: each["AddonVersion"] for name, (_, each) in addons(whole).items()}

    assert found == ADDONS


def test_another_kubernetes_takes_its_own_proxy_and_names(china: Synthesized) -> None:
    found = {name: each.get("AddonVersion") for name, (_, each) in addons(china).items()}

    assert the(china, "AWS::EKS::Cluster")["Version"] == "1.35"
    assert {name for name, version in found.items() if version is None} == {
        "coredns",
        "kube-proxy",
    }


def test_the_system_nodes_go_up_with_kubernetes(whole: Synthesized, china: Synthesized) -> None:
    for synthesized in (whole, china):
        wanted = the(synthesized, "AWS::EKS::Cluster")["Version"]
        assert the(synthesized, "AWS::EKS::Nodegroup")["Version"] == wanted


def test_network_policies_are_enforced(whole: Synthesized) -> None:
    _, network = addons(whole)["vpc-cni"]

    assert json.loads(network["ConfigurationValues"]) == {"enableNetworkPolicy": "true"}


def test_checkpoints_can_be_mounted_on_nodes_that_keep_other_pods_off(whole: Synthesized) -> None:
    _, mountpoint = addons(whole)["aws-mountpoint-s3-csi-driver"]

    assert json.loads(mountpoint["ConfigurationValues"])["node"] == {"tolerateAllTaints": True}


@pytest.mark.parametrize("name", ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"])
def test_nodes_wait_for_what_makes_them_ready(
    whole: Synthesized, platform: Platform, name: str
) -> None:
    nodes = graph.named(platform, NODES)

    assert addons(whole)[name][0] in graph.waits_for(whole.json, nodes)


@pytest.mark.parametrize(
    "name", ["coredns", "aws-mountpoint-s3-csi-driver", "amazon-cloudwatch-observability"]
)
def test_what_is_well_only_on_nodes_waits_for_them(
    whole: Synthesized, platform: Platform, name: str
) -> None:
    nodes = graph.named(platform, NODES)

    assert nodes in graph.waits_for(whole.json, addons(whole)[name][0])


def test_charts_and_manifests_wait_for_nodes_and_add_ons(
    whole: Synthesized, platform: Platform
) -> None:
    """The handler itself waits for neither, and gives up after 15 minutes."""
    nodes = graph.named(platform, NODES)
    ready = {nodes, *(name for name, _ in addons(whole).values())}
    given = [*whole.resources(graph.CHART), *whole.resources(graph.MANIFEST)]

    assert len(given) >= 10
    for each in given:
        assert ready <= graph.waits_for(whole.json, each), each


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vpc-cni", "VpcCni"),
        ("aws-mountpoint-s3-csi-driver", "Mountpoint"),
        ("amazon-cloudwatch-observability", "CloudWatch"),
    ],
)
def test_an_add_on_waits_for_its_role(
    whole: Synthesized, platform: Platform, name: str, path: str
) -> None:
    """A pod that starts before its association never gets the role."""
    association = graph.named(platform, f"Cluster/Addons/{path}/Association")

    assert association in graph.waits_for(whole.json, addons(whole)[name][0])


def test_nodes_and_the_kubectl_handler_have_their_way_out_as_long_as_they_are_there(
    whole: Synthesized, platform: Platform
) -> None:
    """Nodes without it pull no image, and a deletion would wait for the handler for an hour."""
    routes = {
        name
        for name, path in graph.paths(platform).items()
        if path.startswith("Network/Vpc/Private") and path.endswith("/DefaultRoute")
    }

    assert len(routes) == 3
    for each in (graph.named(platform, NODES), *whole.resources(graph.MANIFEST)):
        assert routes <= graph.waits_for(whole.json, each), each


def test_what_containers_print_is_where_the_settings_say(
    whole: Synthesized, settings: Settings
) -> None:
    groups = [each["Properties"] for each in whole.resources("AWS::Logs::LogGroup").values()]
    (printed,) = (each for each in groups if each.get("LogGroupName") == settings.names.log_group)

    assert printed["RetentionInDays"] == 7


def test_a_role_is_for_the_pods_of_one_service_account(whole: Synthesized) -> None:
    roles = whole.resources("AWS::IAM::Role")
    associations = whole.resources("AWS::EKS::PodIdentityAssociation").values()

    assert len(associations) == 7
    for each in associations:
        association = each["Properties"]
        role = roles[association["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        conditions = trust["Condition"]["StringEquals"]
        assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert set(trust["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
        assert conditions["aws:RequestTag/kubernetes-namespace"] == association["Namespace"]
        account = conditions["aws:RequestTag/kubernetes-service-account"]
        assert account == association["ServiceAccount"]
        assert conditions["aws:RequestTag/eks-cluster-arn"]["Fn::GetAtt"][1] == "Arn"


def test_the_cloudwatch_agent_writes_its_clusters_logs_only(
    whole: Synthesized, platform: Platform
) -> None:
    role = graph.named(platform, "Cluster/Addons/CloudWatch/Role")
    (writes,) = (
        each["Resource"]
        for each in graph.statements(whole.json, role)
        if "logs:PutLogEvents" in each["Action"]
    )

    assert writes["Fn::Join"][1][-1].endswith(":log-group:/aws/containerinsights/Studio/*")
    assert not any(
        action.startswith("logs:CreateLogGroup") for action in graph.actions(whole.json, role)
    )


@pytest.mark.parametrize(
    ("which", "image", "count"),
    [("whole", "AL2023_ARM_64_STANDARD", 2), ("china", "AL2023_x86_64_STANDARD", 1)],
)
def test_system_nodes_are_of_the_configured_kind_and_number(
    request: pytest.FixtureRequest, which: str, image: str, count: int
) -> None:
    given = request.getfixturevalue(which)
    nodes = the(given, "AWS::EKS::Nodegroup")

    assert nodes["AmiType"] == image
    assert nodes["ScalingConfig"] == {"DesiredSize": count, "MinSize": count, "MaxSize": count}


def test_no_pod_gets_the_credentials_of_its_system_node(template: Template) -> None:
    template.has_resource_properties(
        "AWS::EC2::LaunchTemplate",
        {
            "LaunchTemplateData": Match.object_like(
                {
                    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                    "BlockDeviceMappings": [
                        {
                            "DeviceName": "/dev/xvda",
                            "Ebs": Match.object_like({"Encrypted": True, "VolumeType": "gp3"}),
                        }
                    ],
                }
            )
        },
    )


def test_charts_and_their_images_come_from_where_they_are_at_home(whole: Synthesized) -> None:
    charts = {release: found for release, (_, found) in graph.charts(whole).items()}

    assert charts["karpenter"]["Repository"] == "oci://public.ecr.aws/karpenter/karpenter"
    assert _images(charts) == {
        "karpenter": "public.ecr.aws/karpenter/controller",
        "kuberay-operator": "quay.io/kuberay/operator",
        "aws-load-balancer-controller": "public.ecr.aws/eks/aws-load-balancer-controller",
    }


def test_charts_and_their_images_come_from_a_mirror_where_there_is_one(china: Synthesized) -> None:
    charts = {
        release: found
        for release, (_, found) in graph.charts(china).items()
        if "Repository" in found
    }

    assert charts.keys() == {"karpenter-crd", "karpenter", "kuberay-operator"}
    for release, found in charts.items():
        assert found["Repository"] == f"oci://registry.example.cn/charts/{release}"
    assert _images(charts) == {
        "karpenter": "registry.example.cn/mirror/karpenter/controller",
        "kuberay-operator": "registry.example.cn/mirror/kuberay/operator",
    }


def _images(charts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return each chart's images by their place in its values."""
    values = {release: found["Values"] for release, found in charts.items()}
    images = {
        release: given.get("controller", given).get("image") for release, given in values.items()
    }
    return {release: image["repository"] for release, image in images.items() if image}
