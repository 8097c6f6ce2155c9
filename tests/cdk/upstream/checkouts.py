"""Upstream's sources at the pinned versions, where somebody has them.

They are their authors': they stand in the folder that `UPSTREAM_DIR` names, each in a folder
called by its name and version, and not here.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdk import versions

FOLDER = Path(os.environ.get("UPSTREAM_DIR", Path(__file__).parents[3].parent / "upstream"))


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Repository of upstream's at a tag."""

    name: str
    """The folder's name, before its version."""
    repository: str
    """Address for Git."""
    pin: versions.Pin
    chart: str
    """Path of the Helm chart in it."""
    tag: str = "v"
    """Prefix of the version in a git tag."""

    @property
    def version(self) -> str:
        """Version of the sources: an add-on's without the number of EKS's build."""
        return self.pin.version.removeprefix("v").partition("-")[0]

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.name}-{self.version}"

    def fetch(self) -> None:
        """Clone the sources, unless they are there."""
        if not self.folder.is_dir():
            tag = f"{self.tag}{self.version}"
            command = ["git", "clone", "--quiet", "--depth", "1", "--branch", tag]
            subprocess.run([*command, self.repository, str(self.folder)], check=True)

    def text(self, path: str) -> str:
        """Return the text of a file; the test is skipped where there is no checkout."""
        if not self.folder.is_dir():
            pytest.skip(f"UPSTREAM_DIR must name a folder with {self.folder.name}")
        return (self.folder / path).read_text()


KARPENTER = Checkout(
    name="karpenter-provider-aws",
    repository="https://github.com/aws/karpenter-provider-aws",
    pin=versions.KARPENTER,
    chart="charts/karpenter",
)
KUBERAY = Checkout(
    name="kuberay",
    repository="https://github.com/ray-project/kuberay",
    pin=versions.KUBERAY,
    chart="helm-chart/kuberay-operator",
)
LOAD_BALANCERS = Checkout(
    name="aws-load-balancer-controller",
    repository="https://github.com/kubernetes-sigs/aws-load-balancer-controller",
    pin=versions.LOAD_BALANCERS,
    chart="helm/aws-load-balancer-controller",
)
MOUNTPOINT = Checkout(
    name="mountpoint-s3-csi-driver",
    repository="https://github.com/awslabs/mountpoint-s3-csi-driver",
    pin=versions.PINS["aws-mountpoint-s3-csi-driver"],
    chart="charts/aws-mountpoint-s3-csi-driver",
)
CLOUDWATCH = Checkout(
    name="amazon-cloudwatch-observability",
    repository="https://github.com/aws-observability/helm-charts",
    pin=versions.PINS["amazon-cloudwatch-observability"],
    chart="charts/amazon-cloudwatch-observability",
    tag="amazon-cloudwatch-observability-",
)
CHARTS: Mapping[str, Checkout] = {
    versions.KARPENTER.name: KARPENTER,
    versions.KUBERAY.name: KUBERAY,
    versions.LOAD_BALANCERS.name: LOAD_BALANCERS,
    "aws-mountpoint-s3-csi-driver": MOUNTPOINT,
    "amazon-cloudwatch-observability": CLOUDWATCH,
}
"""Checkouts by the release's name, or by the name of the add-on that EKS makes from the chart."""
