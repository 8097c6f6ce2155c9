"""Pinned versions of other people's software, each with its source and the day it was read.

The charts' stand here; the add-ons' are in `models/addons.py`, where the command reads them, too,
and what a setting can change is that setting's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.addons import ADDONS, KUBERNETES
from models.settings.cloud import Cluster, RayCluster


@dataclass(frozen=True, kw_only=True)
class Pin:
    """Version, and the source that says that it exists."""

    version: str
    source: str
    """Address of the page or the tag."""
    as_of: str
    """Day on which the source was read: ``2026-11-29``."""


@dataclass(frozen=True, kw_only=True)
class Chart(Pin):
    """Helm chart of another project."""

    name: str
    repository: str
    image: str = ""
    """Image that the chart starts, with the registry that the chart itself names."""

    def repository_in(self, mirror: str | None) -> str:
        """Return the chart's repository; a ``mirror`` has charts by their names: ``oci://…``."""
        return f"{mirror}/{self.name}" if mirror else self.repository

    def image_in(self, mirror: str | None) -> str:
        """Return the image's repository; a ``mirror`` has images by their paths."""
        return f"{mirror}/{self.image.partition('/')[2]}" if mirror else self.image


KARPENTER_CRD = Chart(
    name="karpenter-crd",
    repository="oci://public.ecr.aws/karpenter/karpenter-crd",
    version="1.14.1",
    source="https://github.com/aws/karpenter-provider-aws/tree/v1.14.1",
    as_of="2026-11-29",
)
KARPENTER = Chart(
    name="karpenter",
    repository="oci://public.ecr.aws/karpenter/karpenter",
    version="1.14.1",
    source="https://github.com/aws/karpenter-provider-aws/tree/v1.14.1",
    as_of="2026-11-29",
    image="public.ecr.aws/karpenter/controller",
)
KUBERAY = Chart(
    name="kuberay-operator",
    repository="https://ray-project.github.io/kuberay-helm/",
    version="1.7.0",
    source="https://github.com/ray-project/kuberay/tree/v1.7.0",
    as_of="2026-11-29",
    image="quay.io/kuberay/operator",
)
LOAD_BALANCERS = Chart(
    name="aws-load-balancer-controller",
    repository="https://aws.github.io/eks-charts",
    version="3.5.0",
    source="https://github.com/kubernetes-sigs/aws-load-balancer-controller/tree/v3.5.0",
    as_of="2026-11-29",
    image="public.ecr.aws/eks/aws-load-balancer-controller",
)
CHARTS = (KARPENTER_CRD, KARPENTER, KUBERAY, LOAD_BALANCERS)

_EKS_SOURCE = {
    # Seen together in public records of clusters of that version. This call of EKS lists what it
    # offers; the preflight checks of a deployment make it.
    "source": "https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeAddonVersions.html",
    "as_of": "2026-09-18",
}
PINS: Mapping[str, Pin] = {
    "kubernetes": Pin(version=KUBERNETES, **_EKS_SOURCE),
    "vpc-cni": Pin(version=ADDONS["vpc-cni"], **_EKS_SOURCE),
    "kube-proxy": Pin(version=ADDONS["kube-proxy"], **_EKS_SOURCE),
    "coredns": Pin(version=ADDONS["coredns"], **_EKS_SOURCE),
    "eks-pod-identity-agent": Pin(version=ADDONS["eks-pod-identity-agent"], **_EKS_SOURCE),
    "aws-mountpoint-s3-csi-driver": Pin(
        version=ADDONS["aws-mountpoint-s3-csi-driver"],
        source="https://github.com/awslabs/mountpoint-s3-csi-driver/tree/v2.7.0",
        as_of="2026-11-29",
    ),
    "amazon-cloudwatch-observability": Pin(
        version=ADDONS["amazon-cloudwatch-observability"],
        source="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/container-insights-eks-otel-cfn.html",
        as_of="2026-11-29",
    ),
    "bottlerocket": Pin(
        version=Cluster().bottlerocket,
        source="https://github.com/bottlerocket-os/bottlerocket/releases/tag/v1.68.0",
        as_of="2026-11-29",
    ),
    "valkey": Pin(
        version=RayCluster().redis_image,
        source="https://valkey.io/download/releases/v8-1-11/",
        as_of="2026-11-29",
    ),
}
"""Pins by the name of what they pin: add-ons by EKS's names for them."""
