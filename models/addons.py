"""Versions of EKS's add-ons: `cdk` installs them, `atelier aws deploy` looks for them.

The versions are those that a cluster of `KUBERNETES` takes; another version of Kubernetes gets
EKS's own choice of the two that go with it, made once (`docs/operations.md`, "Kubernetes goes
up").
"""

from collections.abc import Mapping

KUBERNETES = "1.36"
NEWEST_FOR_KARPENTER = "1.36"
"""Version of Kubernetes up to which the pinned Karpenter goes (pkg/providers/version/version.go,
2026-11)."""
ADDONS: Mapping[str, str] = {
    "vpc-cni": "v1.22.4-eksbuild.3",
    "kube-proxy": "v1.36.0-eksbuild.21",
    "coredns": "v1.14.3-eksbuild.16",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "aws-mountpoint-s3-csi-driver": "v2.7.0-eksbuild.1",
    "amazon-cloudwatch-observability": "v6.2.0-eksbuild.1",
}
_OF_ONE_KUBERNETES = frozenset({"kube-proxy", "coredns"})


def addon_version(name: str, kubernetes: str) -> str | None:
    """Choose the version of an add-on; None: EKS chooses it for this version of Kubernetes."""
    fits = kubernetes == KUBERNETES or name not in _OF_ONE_KUBERNETES
    return ADDONS[name] if fits else None
