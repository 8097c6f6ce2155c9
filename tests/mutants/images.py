"""Mistakes in images: what they are built for, as whom they run, and what starts in them."""

from tests.mutants.mutant import Mutant

_PLATFORMS = "tests/docker/test_platforms.py"

MUTANTS = (
    Mutant(
        mistake="a default on the automatic TARGETARCH, so that the Graviton head is x86",
        file="docker/head.Dockerfile",
        old="FROM rayproject/ray:2.60.0-py311 AS amd64",
        new="ARG TARGETARCH=amd64\nFROM rayproject/ray:2.60.0-py311 AS amd64",
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="a head for the machine that builds, not for the one that runs it",
        file="docker/head.Dockerfile",
        old="FROM ${TARGETARCH}",
        new="FROM ${BUILDARCH}",
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="the x86 image under the name of arm64",
        file="docker/head.Dockerfile",
        old="py311-aarch64 AS arm64",
        new="py311 AS arm64",
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="an image for x86 alone, whatever its nodes are",
        file="cli/aws/images.py",
        old='platform = f"linux/{images.architecture_of(self.settings, kind)}"',
        new='platform = "linux/amd64"',
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="a runtime's image for the system nodes",
        file="models/images.py",
        old="nodes = head if kind == HEAD else",
        new="nodes = head if kind else",
        tests=f"{_PLATFORMS} tests/models/test_images.py",
    ),
    Mutant(
        mistake="a pool for the second head without the head's architecture",
        file="cdk/manifests/nodes.py",
        old="architecture(settings.cluster_components.instance_type)",
        new='"amd64"',
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="one image for nodes of two architectures",
        file="models/images.py",
        old="    if len(found) != 1:",
        new="    if not found:",
        tests="tests/models/test_images.py",
    ),
)
