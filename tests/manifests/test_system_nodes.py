"""System nodes hold what runs from the first minute, so that no third one is paid."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import permutations

import pytest

from cdk.manifests import Manifest
from models.quantities import quantity
from models.settings.groups import ClusterComponents
from tests.manifests.world import made, ray_service

Size = tuple[Decimal, Decimal]
"""Cores and bytes."""


def size(cpu: str, memory: str) -> Size:
    return quantity(cpu), quantity(memory)


# What pods may have of an m7g.large, by Karpenter 1.14's own table of instance types.
NODE = size("1930m", "6844Mi")
ON_EACH_NODE = (
    size("50m", "0"),  # vpc-cni 1.22: the plugin, and the agent of network policies
    size("100m", "0"),  # kube-proxy 1.36
    size("30m", "120Mi"),  # Mountpoint S3 CSI 2.7, three containers
    size("250m", "128Mi"),  # CloudWatch agent, of amazon-cloudwatch-observability
    size("50m", "25Mi"),  # Fluent Bit, of the same
    size("250m", "512Mi"),  # Karpenter, as `cdk.karpenter` asks; its two never share a node
    size("100m", "70Mi"),  # CoreDNS 1.14, spread likewise
)
ONCE = (
    size("100m", "64Mi"),  # the operator of amazon-cloudwatch-observability
    size("100m", "256Mi"),  # KubeRay's, as `cdk.ray_service` asks
)


def test_the_system_nodes_by_default_hold_all_that_sits_on_them() -> None:
    assert fits(made())


@pytest.mark.parametrize("more", [{"headCpu": 1.5}, {"ingestCpu": 2}, {"headMemory": 6}])
def test_more_than_that_would_be_found(more: dict[str, float]) -> None:
    assert not fits(made(rayCluster=more))


def test_ray_counts_whole_cores_and_none_of_the_heads() -> None:
    cluster = ray_service()["spec"]["rayClusterConfig"]

    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["workerGroupSpecs"][0]["resources"]["CPU"] == "1"


def fits(manifests: list[Manifest]) -> bool:
    """Tell whether pods fit in every order, wherever each is put that has room."""
    components = ClusterComponents()
    assert components.instance_type == "m7g.large"
    pods = [*ONCE, *asked(manifests)]
    empty = (_sum(list(ON_EACH_NODE)),) * components.desired_count
    return all(_placed(order, empty) for order in permutations(pods))


def asked(manifests: list[Manifest]) -> Iterator[Size]:
    """Return the sizes of the head with its autoscaler, of ingest, and of Valkey."""
    cluster = manifests[-1]["spec"]["rayClusterConfig"]
    head, ingest = cluster["headGroupSpec"], cluster["workerGroupSpecs"][0]
    (valkey,) = (one["spec"] for one in manifests if one["kind"] == "StatefulSet")
    yield _sum([_pod(head), size(**cluster["autoscalerOptions"]["resources"]["requests"])])
    yield from (_pod(ingest), _pod(valkey))


def _pod(spec: Manifest) -> Size:
    containers = spec["template"]["spec"]["containers"]
    return _sum([size(**one["resources"]["requests"]) for one in containers])


def _sum(sizes: list[Size]) -> Size:
    cores, memory = zip(*sizes, strict=True)
    return sum(cores, Decimal()), sum(memory, Decimal())


def _placed(pods: tuple[Size, ...], taken: tuple[Size, ...]) -> bool:
    if not pods:
        return True
    pod, *left = pods
    after = [_sum([each, pod]) for each in taken]
    room = [n for n, (cpu, memory) in enumerate(after) if cpu <= NODE[0] and memory <= NODE[1]]
    placed = (_placed(tuple(left), (*taken[:n], after[n], *taken[n + 1 :])) for n in room)
    return bool(room) and all(placed)
