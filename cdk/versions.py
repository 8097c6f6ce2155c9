"""Charts that are installed in the cluster, each version pinned, in one place.

The add-ons' are in `models/addons.py`, which the command reads too.
"""

from dataclasses import dataclass


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
