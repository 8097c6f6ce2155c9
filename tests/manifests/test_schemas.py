"""Objects pass what an API server checks, of the version of Kubernetes that runs them."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from cdk.manifests import Manifest
from tests.manifests import crds
from tests.manifests.world import made, named, runtime

KUBERNETES = "1.36"
FILE = Path(__file__).parents[2] / "ray-cluster.yaml"

INSTALLATIONS: Mapping[str, Callable[[], list[Manifest]]] = {
    "ray-cluster.yaml": lambda: list(yaml.load_all(FILE.read_text(), yaml.CSafeLoader)),
    "as it comes": made,
    "every setting": lambda: made(
        runtime(
            "two_words",
            gpus=2,
            resources={"fast": 0.5},
            nodes={
                "instanceTypes": ["g5.12xlarge"],
                "maxGpus": 8,
                "consolidate": True,
                "expireAfter": "Never",
                "imageCache": "none",
                "labels": {"team": "a"},
                "annotations": {"note": "b"},
                "tags": {"cost": "c"},
                "taints": [{"key": "ours", "effect": "NoExecute"}],
                "requirements": [
                    {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["1"]}
                ],
                "userData": '[settings.kernel]\nlockdown = "none"\n',
            },
            pod={"labels": {"a": "b"}, "annotations": {"c": "d"}, "env": {"E": "f"}},
        ),
        runtime("snapped", nodes={"imageCache": "ebs-snapshot", "snapshot": "snap-0a"}),
        runtime("claimed", pod={"existingClaim": "mine", "image": "here/mine:1"}),
        vpc={"id": "vpc-0a", "zones": ["a", "b"], "privateSubnets": ["subnet-0a", "subnet-0b"]},
        rayCluster={"redisAddress": "rediss://redis.example.org:6380", "upgrade": "None"},
        storage={"checkpointCache": 0},
    ),
    "without a GPU, nor a bucket": lambda: made(
        runtime("fake", "fake", gpus=0, options={}, nodes={"instanceTypes": ["c7i.2xlarge"],
                "imageCache": "none", "capacity": ["on-demand"]}, pod={"existingClaim": "mine"}),
        modelBucketArn=None,
        checkpoints="/anywhere",
    ),
}  # fmt: skip


@pytest.fixture(params=INSTALLATIONS, scope="module")
def installation(request: pytest.FixtureRequest) -> list[Manifest]:
    return INSTALLATIONS[request.param]()


def test_kubernetes_takes_every_object_of_its_own(installation: list[Manifest]) -> None:
    own = [one for one in installation if not crds.is_custom(one)]

    assert {one["kind"] for one in own} >= {"Namespace", "NetworkPolicy", "PodDisruptionBudget"}
    for one in own:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def test_kubernetes_takes_the_pods(installation: list[Manifest]) -> None:
    """KubeRay's definition says the same; this stands where its file does not."""
    cluster = installation[-1]["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


@crds.needed
def test_karpenter_and_kuberay_take_theirs(installation: list[Manifest]) -> None:
    custom = [one for one in installation if crds.is_custom(one)]

    assert {one["kind"] for one in custom} == {"EC2NodeClass", "NodePool", "RayService"}
    assert {one["metadata"]["name"]: crds.mistakes(one) for one in custom} == {
        one["metadata"]["name"]: [] for one in custom
    }


def test_nothing_is_lost_on_the_way_through_cdk(installation: list[Manifest]) -> None:
    """CDK drops what is None, and has but one sort of number."""
    assert not list(_lost(installation, ""))


def _lost(value: Any, path: str) -> Any:
    match value:
        case None | float():
            yield path
        case dict():
            for key, part in value.items():
                yield from _lost(part, f"{path}.{key}")
        case list():
            for number, part in enumerate(value):
                yield from _lost(part, f"{path}[{number}]")


def group(service: Manifest) -> Any:
    return service["spec"]["rayClusterConfig"]["workerGroupSpecs"][1]


def pod(service: Manifest) -> Any:
    return group(service)["template"]["spec"]


REFUSED: Mapping[str, tuple[str, Callable[[Any], Any], str]] = {
    "a misspelt count": (
        "RayService",
        lambda one: group(one).update(minReplica=1),
        "minReplica: unknown field",
    ),
    "a misspelt part of a pod": (
        "RayService",
        lambda one: pod(one).update(toleration=[]),
        "template.spec.toleration: unknown field",
    ),
    "a count as text": (
        "RayService",
        lambda one: group(one).update(maxReplicas="3"),
        "maxReplicas: '3' is not of type 'integer'",
    ),
    "no head": (
        "RayService",
        lambda one: one["spec"]["rayClusterConfig"].pop("headGroupSpec"),
        "'headGroupSpec' is a required property",
    ),
    "an autoscaler that there is not": (
        "RayService",
        lambda one: one["spec"]["rayClusterConfig"]["autoscalerOptions"].update(version="v3"),
        "'v3' is not one of",
    ),
    "Serve's configuration not as text": (
        "RayService",
        lambda one: one["spec"].update(serveConfigV2={}),
        "serveConfigV2: {} is not of type 'string'",
    ),
    "memory in a unit that there is not": (
        "RayService",
        lambda one: pod(one)["containers"][0]["resources"]["limits"].update(memory="16GiB"),
        "'16GiB'",
    ),
    "a port twice": (
        "RayService",
        lambda one: pod(one)["containers"][0].update(ports=[{"containerPort": 1}] * 2),
        "twice",
    ),
    "a policy by its old name": (
        "NodePool",
        lambda one: one["spec"]["disruption"].update(consolidationPolicy="WhenUnderutilized"),
        "'WhenUnderutilized' is not one of",
    ),
    "an age where Karpenter does not look": (
        "NodePool",
        lambda one: one["spec"]["disruption"].update(expireAfter="7h"),
        "disruption.expireAfter: unknown field",
    ),
    "an age in days": (
        "NodePool",
        lambda one: one["spec"]["template"]["spec"].update(expireAfter="7d"),
        "'7d' does not match",
    ),
    "a label that Karpenter keeps for itself": (
        "NodePool",
        lambda one: one["spec"]["template"]["metadata"]["labels"].update(
            {"karpenter.sh/nodepool": "x"}
        ),
        "is restricted",
    ),
    "a budget at a time without an end": (
        "NodePool",
        lambda one: one["spec"]["disruption"]["budgets"].append(
            {"nodes": "0", "schedule": "@daily"}
        ),
        "'schedule' must be set with 'duration'",
    ),
    "one of nothing": (
        "NodePool",
        lambda one: one["spec"]["template"]["spec"]["requirements"][0].update(values=[]),
        "must have a value defined",
    ),
    "a role beside the profile": (
        "EC2NodeClass",
        lambda one: one["spec"].update(role="x"),
        "must specify exactly one of",
    ),
    "a system without a version": (
        "EC2NodeClass",
        lambda one: one["spec"]["amiSelectorTerms"][0].update(alias="bottlerocket"),
        "improperly formatted",
    ),
    "a system of another family": (
        "EC2NodeClass",
        lambda one: one["spec"].update(amiFamily="AL2023"),
        "amiFamily must be 'Bottlerocket'",
    ),
    "disks in an array that there is not": (
        "EC2NodeClass",
        lambda one: one["spec"].update(instanceStorePolicy="RAID1"),
        "'RAID1' is not one of",
    ),
    "a size as a number": (
        "EC2NodeClass",
        lambda one: one["spec"]["blockDeviceMappings"][0]["ebs"].update(volumeSize=10),
        "10 is not of type 'string'",
    ),
}


@crds.needed
@pytest.mark.parametrize("mistake", REFUSED)
def test_a_definition_catches(mistake: str) -> None:
    kind, spoil, said = REFUSED[mistake]
    one = deepcopy(next(one for one in made() if one["kind"] == kind))
    spoil(one)

    (found, *_) = crds.mistakes(one)
    assert said in found


def test_the_strict_schema_of_kubernetes_catches_what_it_should() -> None:
    service = named(made(), "Service", "easel-redis")
    service["spec"]["ports"][0]["port"] = "6379"

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, KUBERNETES, strict=True)
