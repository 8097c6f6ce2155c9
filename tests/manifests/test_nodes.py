"""Nodes that a runtime gets, and what bounds them."""

import tomllib
from typing import Any

import pytest

from cdk.manifests import Manifest, node_objects
from cdk.manifests.instances import INSTANCES, share
from models.errors import SettingsError
from tests.manifests.world import PROFILE, made, named, runtime, settings


def nodes(*runtimes: Any, **more: Any) -> list[Manifest]:
    return node_objects(settings(*runtimes, **more), instance_profile=PROFILE)


def pool(**of_nodes: Any) -> Any:
    return named(nodes(runtime(nodes=of_nodes)), "NodePool", "easel-runtime-pictures")["spec"]


def node_class(**of_nodes: Any) -> Any:
    found = named(nodes(runtime(nodes=of_nodes)), "EC2NodeClass", "easel-runtime-pictures")
    return found["spec"]


def values(spec: Any, key: str) -> list[str]:
    (found,) = (
        one["values"] for one in spec["template"]["spec"]["requirements"] if one["key"] == key
    )
    return list(found)


def test_classes_come_before_the_pools_that_name_them() -> None:
    assert [one["kind"] for one in nodes(runtime(), runtime("other"))] == [
        "EC2NodeClass",
        "EC2NodeClass",
        "EC2NodeClass",
        "NodePool",
        "NodePool",
        "NodePool",
    ]


def test_a_pool_has_both_kinds_of_capacity_and_its_own_taints() -> None:
    spec = pool()

    assert values(spec, "karpenter.sh/capacity-type") == ["spot", "on-demand"]
    assert spec["template"]["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": "runtime", "value": "pictures", "effect": "NoSchedule"},
    ]


@pytest.mark.parametrize(
    ("more", "upgrade", "most"),
    [
        ({"nodes": {"maxGpus": 5}}, "None", "10"),
        ({"nodes": {"maxGpus": 5}}, "NewCluster", "11"),
        ({"nodes": {"maxGpus": 5}, "scaling": {"minReplicas": 3}}, "NewCluster", "13"),
        ({"nodes": {"maxGpus": 5}, "replicas": 3}, "NewCluster", "9"),
        ({"replicas": 3}, "None", "6"),
        ({"scaling": {"minReplicas": 7}}, "None", "14"),
        ({"scaling": {"maxReplicas": 3}}, "None", "6"),
        ({"scaling": {"maxReplicas": 3}, "gpus": 0.5}, "None", "4"),
        ({"scaling": {"minReplicas": 3, "maxReplicas": 3}, "gpus": 0.5}, "NewCluster", "6"),
        ({"nodes": {"maxGpus": 2}, "scaling": {"maxReplicas": 3}}, "None", "4"),
        ({"nodes": {"maxGpus": 9}, "scaling": {"maxReplicas": 3}}, "None", "6"),
        ({"nodes": {"maxGpus": 5, "capacity": ["spot"]}}, "None", "5"),
        ({"nodes": {"maxGpus": 5}, "gpus": 2}, "None", "8"),
        ({"nodes": {"maxGpus": 5}, "gpus": 0.5}, "None", "10"),
        ({"nodes": {"maxGpus": 5, "instanceTypes": ["g6.48xlarge"]}}, "None", "16"),
        ({"nodes": {"maxGpus": 5, "instanceTypes": ["g6.48xlarge"]}}, "NewCluster", "24"),
        ({"nodes": {"maxGpus": 9, "instanceTypes": ["g6.48xlarge"]}}, "None", "32"),
        ({"nodes": {"maxGpus": 5, "instanceTypes": ["g6.xlarge", "g6.12xlarge"]}}, "None", "16"),
        (
            {"nodes": {"maxGpus": 2, "instanceTypes": ["g6.12xlarge"]}, "pod": {"memory": 100}},
            "None",
            "16",
        ),
        ({"nodes": {"maxGpus": 3, "instanceTypes": ["g9.huge"]}}, "None", "96"),
        (
            {
                "nodes": {
                    "maxGpus": 1,
                    "instanceTypes": ["p3.8xlarge", "p3.16xlarge"],
                    "capacity": ["spot"],
                    "imageCache": "none",
                }
            },
            "None",
            "8",
        ),
    ],
)
def test_the_limit_is_what_the_groups_may_ask_for_and_what_an_upgrade_starts_with(
    more: dict[str, Any], upgrade: str, most: str
) -> None:
    found = nodes(runtime(**more), rayCluster={"upgrade": upgrade})
    spec = named(found, "NodePool", "easel-runtime-pictures")["spec"]

    assert spec["limits"] == {"nvidia.com/gpu": most}


def test_without_a_gpu_cores_are_the_limit_and_no_taint_speaks_of_one() -> None:
    more = {"instanceTypes": ["c7i.2xlarge", "c7i.4xlarge"], "maxGpus": 2, "capacity": ["spot"]}
    found = nodes(runtime(gpus=0, nodes=more), rayCluster={"upgrade": "None"})
    spec = named(found, "NodePool", "easel-runtime-pictures")["spec"]

    assert spec["limits"] == {"cpu": "16"}
    assert [taint["key"] for taint in spec["template"]["spec"]["taints"]] == ["runtime"]


@pytest.mark.parametrize(
    ("instance_type", "cores"),
    [
        ("c7i.12xlarge", "48"),
        ("c7i.metal-24xl", "96"),
        ("r8i.96xlarge", "384"),
        ("m8i.xlarge", "4"),
        ("m7i.metal", "192"),
    ],
)
def test_an_unknown_type_never_makes_the_limit_smaller_than_one_node(
    instance_type: str, cores: str
) -> None:
    more = {"instanceTypes": [instance_type], "maxGpus": 1, "capacity": ["on-demand"]}
    found = nodes(runtime(gpus=0, nodes=more), rayCluster={"upgrade": "None"})

    assert named(found, "NodePool", "easel-runtime-pictures")["spec"]["limits"] == {"cpu": cores}


@pytest.mark.parametrize(
    ("gpus", "instance_types"),
    [
        (1, ["g6.48xlarge"]),
        (2, ["g6.12xlarge", "g5.48xlarge"]),
        (1, ["g6.xlarge", "g6.12xlarge"]),
        (0, ["c7i.2xlarge", "c7i.4xlarge"]),
        (0, ["m7i.8xlarge", "c7i.metal"]),
        (1, ["g9.huge", "g6.xlarge"]),
    ],
)
def test_all_that_replicas_may_ask_for_can_start(gpus: int, instance_types: list[str]) -> None:
    """Spot full, on demand beside it: the rules count the nodes of each type again."""
    for most in range(2, 18, 3):
        one = {"instanceTypes": instance_types, "imageCache": "none", "maxGpus": most}
        assert made(runtime(gpus=gpus, nodes=one))


def test_a_change_of_its_nodes_takes_none_with_a_task_on_it() -> None:
    assert pool()["disruption"]["budgets"] == [
        {"nodes": "100%", "reasons": ["Empty"]},
        {"nodes": "1", "reasons": ["Underutilized"]},
        {"nodes": "0", "reasons": ["Drifted"]},
    ]


def test_nodes_go_when_empty_and_when_half_empty_only_if_asked() -> None:
    assert pool()["disruption"]["consolidationPolicy"] == "WhenEmpty"
    assert pool(consolidate=True)["disruption"]["consolidationPolicy"] == "WhenEmptyOrUnderutilized"
    assert pool(consolidateAfter="5m")["disruption"]["consolidateAfter"] == "5m"
    assert pool(expireAfter="24h")["template"]["spec"]["expireAfter"] == "24h"


def test_images_are_pulled_in_parallel_onto_the_nodes_own_disks() -> None:
    spec = node_class(userData='[settings.kernel]\nlockdown = "none"\n')
    toml = tomllib.loads(spec["userData"])["settings"]

    assert spec["instanceStorePolicy"] == "RAID0"
    assert toml["container-runtime"]["snapshotter"] == "soci"
    assert toml["container-runtime-plugins"]["soci-snapshotter"]["pull-mode"] == (
        "parallel-pull-unpack"
    )
    assert toml["kernel"]["lockdown"] == "none"


@pytest.mark.parametrize(
    ("volume", "least"), [({"dataVolume": {"size": 2}}, "20"), ({"osVolume": {"size": 2}}, "4")]
)
def test_a_volume_on_which_no_node_would_start_is_refused_by_name(
    volume: dict[str, Any], least: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(runtime(nodes=volume))

    assert str(refused.value).startswith(f"modelsRuntime[0].nodes.{next(iter(volume))}.size: ")
    assert least in str(refused.value)


@pytest.mark.parametrize(
    ("taints", "said"),
    [
        ([{"key": "nvidia.com/gpu"}], "nodes have nvidia.com/gpu with NoSchedule by themselves"),
        ([{"key": "runtime", "value": "mine"}], "nodes have runtime with NoSchedule by themselves"),
        ([{"key": "team"}, {"key": "x"}, {"key": "team"}], "number 3 has the key and effect of"),
        ([{"key": "team", "value": "a"}, {"key": "team", "value": "b"}], "number 2 has the key"),
    ],
)
def test_a_taint_that_nodes_would_have_twice_is_refused_by_name(
    taints: list[dict[str, str]], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(runtime(nodes={"taints": taints}))

    assert str(refused.value).startswith(f"modelsRuntime[0].nodes.taints: {said}")
    assert "leave " in str(refused.value)


@pytest.mark.parametrize(
    "more",
    [
        {"requirements": [{"key": "zone"}]},
        {"requirements": [{"key": "zone", "operator": "NotIn"}]},
        {"requirements": [{"key": "cpu", "operator": "Gt", "values": ["1", "2"]}]},
        {"requirements": [{"key": "cpu", "operator": "Lt", "values": ["-1"]}]},
        {"tags": {"kubernetes.io/cluster/easel": "owned"}},
        {"tags": {"karpenter.sh/nodepool": "mine"}},
    ],
)
def test_requirements_and_tags_that_karpenter_refuses_are_refused_before(
    more: dict[str, Any],
) -> None:
    with pytest.raises(SettingsError, match=r"^modelsRuntime\[0\]\.nodes\.(requirements|tags)"):
        settings(runtime(nodes=more))


def test_a_key_may_be_tainted_with_two_effects() -> None:
    both = [{"key": "runtime", "effect": "NoExecute"}, {"key": "a"}, {"key": "b"}]

    assert len(pool(taints=both)["template"]["spec"]["taints"]) == 5


@pytest.mark.parametrize(
    "namespace",
    ["kube-system", "kube-public", "default", "amazon-cloudwatch", "kuberay-operator"],
)
def test_a_namespace_of_others_is_refused_by_name(namespace: str) -> None:
    with pytest.raises(SettingsError, match=r"^rayCluster\.namespace: belongs to others"):
        settings(rayCluster={"namespace": namespace})


def test_images_of_a_snapshot_are_not_hidden() -> None:
    spec = node_class(imageCache="ebs-snapshot", snapshot="snap-0a", dataVolume={"size": 150})

    assert "instanceStorePolicy" not in spec
    assert "userData" not in spec
    assert spec["blockDeviceMappings"][1]["ebs"]["snapshotID"] == "snap-0a"
    assert spec["blockDeviceMappings"][1]["ebs"]["volumeSize"] == "150Gi"


def test_no_pod_gets_the_nodes_credentials_and_no_release_replaces_the_nodes() -> None:
    spec = node_class()

    assert spec["metadataOptions"]["httpTokens"] == "required"
    assert spec["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert spec["amiSelectorTerms"] == [{"alias": "bottlerocket@v1.68.0"}]
    assert all(volume["ebs"]["encrypted"] for volume in spec["blockDeviceMappings"])


def test_what_is_paid_can_be_told_apart() -> None:
    others = named(nodes(), "EC2NodeClass", "easel-cpu")["spec"]

    assert others["tags"] == {"Project": "Easel", "stack": "Easel"}
    assert node_class(tags={"team": "a"})["tags"] == {
        "Project": "Easel",
        "stack": "Easel",
        "runtime": "pictures",
        "team": "a",
    }


def test_nodes_are_in_the_subnets_of_an_existing_network() -> None:
    vpc = {"id": "vpc-0a", "zones": ["a", "b"], "privateSubnets": ["subnet-0a", "subnet-0b"]}
    found = named(nodes(vpc=vpc), "EC2NodeClass", "easel-cpu")["spec"]

    assert found["subnetSelectorTerms"] == [{"id": "subnet-0a"}, {"id": "subnet-0b"}]


def test_what_the_system_nodes_have_no_room_for_is_on_demand_and_bounded() -> None:
    spec = named(nodes(), "NodePool", "easel-cpu")["spec"]

    assert values(spec, "karpenter.sh/capacity-type") == ["on-demand"]
    assert values(spec, "kubernetes.io/arch") == ["arm64"]
    assert spec["limits"] == {"cpu": "32"}


def test_a_pod_fits_on_the_smallest_of_its_instances() -> None:
    assert share(["g6.2xlarge"]) == (6, 24)
    assert share(["g5.xlarge", "g5.2xlarge"]) == (3, 12)
    assert share(["g6.12xlarge"]) == (9, 36)
    for kind, one in INSTANCES.items():
        if one.cpus < 4:
            continue  # no node for a runtime
        cpus, memory = share([kind])
        assert cpus * max(1, one.gpus) <= one.free_cpus
        assert memory * max(1, one.gpus) <= one.free_memory
