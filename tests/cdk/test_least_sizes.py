"""Sizes of what is no pod of Ray's: at least what its makers start with, or recommend."""

from collections.abc import Mapping

import pytest

from models.quantities import quantity
from tests.cdk.conftest import Synthesized
from tests.cdk.upstream import given

SYSTEM_DISK = 20
"""GiB that EKS gives a managed node itself: eks/latest/APIReference, CreateNodegroup, diskSize
(2026-11)."""
MEMORY: Mapping[str, tuple[str, str]] = {
    "karpenter": ("controller.resources", "1Gi"),
    "kuberay-operator": ("resources", "512Mi"),
    "aws-load-balancer-controller": ("resources", "128Mi"),
}
"""Memory limits by chart: the path of resources in its values, and the limit that its values.yaml
recommends. The load balancer controller and Karpenter have none unless one is given."""


def test_system_nodes_have_a_disk_for_their_images_and_logs(either: Synthesized) -> None:
    sizes = [
        volume["Ebs"]["VolumeSize"]
        for template in either.resources("AWS::EC2::LaunchTemplate").values()
        for volume in template["Properties"]["LaunchTemplateData"]["BlockDeviceMappings"]
    ]

    assert sizes
    assert min(sizes) >= SYSTEM_DISK


@pytest.mark.parametrize("chart", MEMORY)
def test_a_controller_has_the_memory_that_its_chart_recommends(
    whole: Synthesized, chart: str
) -> None:
    path, least = MEMORY[chart]
    found = given.values(whole)[chart]
    for key in path.split("."):
        found = found.get(key, {})
    memory = found.get("limits", {}).get("memory")

    assert memory is None or quantity(memory) >= quantity(least)
