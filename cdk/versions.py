"""What is installed in the cluster, each version pinned, in one place.

The add-ons' versions are those that a cluster of `KUBERNETES` takes; another version of Kubernetes
gets EKS's own choice of the two that go with it, made once (`docs/operations.md`, "Kubernetes goes
up").
"""

from collections.abc import Mapping
from dataclasses import dataclass

KUBERNETES = "1.36"
ADDONS: Mapping[str, str] = {
    "vpc-cni": "v1.22.4-eksbuild.3",
    "kube-proxy": "v1.36.0-eksbuild.21",
    "coredns": "v1.14.3-eksbuild.16",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "aws-mountpoint-s3-csi-driver": "v2.7.0-eksbuild.1",
    "amazon-cloudwatch-observability": "v6.2.0-eksbuild.1",
}
_OF_ONE_KUBERNETES = frozenset({"kube-proxy", "coredns"})


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A Helm chart of somebody else's."""

    name: str
    repository: str
    version: str
    image: str = ""
    """Of what it starts, with the registry that the chart itself has it from."""

    def repository_in(self, mirror: str | None) -> str:
        """Where it is pulled from; ``mirror`` has charts by their names: ``oci://…``."""
        return f"{mirror}/{self.name}" if mirror else self.repository

    def image_in(self, mirror: str | None) -> str:
        """Where its image is pulled from; ``mirror`` has images by their paths."""
        return f"{mirror}/{self.image.partition('/')[2]}" if mirror else self.image


KARPENTER_CRD = Chart(
    name="karpenter-crd",
    repository="oci://public.ecr.aws/karpenter/karpenter-crd",
    version="1.14.1",
)
KARPENTER = Chart(
    name="karpenter",
    repository="oci://public.ecr.aws/karpenter/karpenter",
    version="1.14.1",
    image="public.ecr.aws/karpenter/controller",
)
KUBERAY = Chart(
    name="kuberay-operator",
    repository="https://ray-project.github.io/kuberay-helm/",
    version="1.7.0",
    image="quay.io/kuberay/operator",
)
LOAD_BALANCERS = Chart(
    name="aws-load-balancer-controller",
    repository="https://aws.github.io/eks-charts",
    version="3.5.0",
    image="public.ecr.aws/eks/aws-load-balancer-controller",
)


def addon(name: str, kubernetes: str) -> str | None:
    """The version of an add-on; None: as EKS chooses for this version of Kubernetes."""
    fits = kubernetes == KUBERNETES or name not in _OF_ONE_KUBERNETES
    return ADDONS[name] if fits else None
