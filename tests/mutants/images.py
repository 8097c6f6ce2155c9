"""Mistakes in images: what they are built for, as whom they run, and what starts in them."""

from tests.mutants.mutant import Mutant

_PLATFORMS = "tests/docker/test_platforms.py"
_SHELL = "tests/docker/test_shell.py"
_USERS = "tests/docker/test_users.py"

MUTANTS = (
    Mutant(
        mistake="a new bash is taken for an old one where BASH_ENV prints something",
        file="docker/install.sh",
        old="$(unset BASH_ENV; ",
        new="$(",
        tests=_SHELL,
    ),
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
        file="cli/aws/deploy/images.py",
        old='platform = f"linux/{images.architecture_of(self.settings, kind)}"',
        new='platform = "linux/amd64"',
        tests=_PLATFORMS,
    ),
    Mutant(
        mistake="a runtime's image for the system nodes",
        file="models/names/images.py",
        old="nodes = head if kind == HEAD else",
        new="nodes = head if kind else",
        tests=f"{_PLATFORMS} tests/models/names/test_images.py",
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
        file="models/names/images.py",
        old="    if len(found) != 1:",
        new="    if not found:",
        tests="tests/models/names/test_images.py",
    ),
    Mutant(
        mistake="an image whose bash is process 1 and keeps SIGTERM to itself",
        file="docker/install.sh",
        old='if [ -n "$shell" ]; then',
        new='if [ -z "$shell" ]; then',
        tests=_SHELL,
    ),
    Mutant(
        mistake="a bash tried with one command, not with a list as KubeRay's",
        file="docker/install.sh",
        old="""'printf "%s " "$$"; sh -c "echo \\$\\$"'""",
        new="""'echo "$$ $$"'""",
        tests=_SHELL,
    ),
    Mutant(
        mistake="an image of which the build asks for no bash",
        file="docker/runtime.Dockerfile",
        old="UV_COMPILE_BYTECODE=1 /source",
        new="UV_COMPILE_BYTECODE=1 POD_SHELL= /source",
        tests=_SHELL,
    ),
    Mutant(
        mistake="a user by name, of whom Kubernetes cannot tell that he is not root",
        file="docker/head.Dockerfile",
        old="USER 1000",
        new="USER ray",
        tests=_USERS,
    ),
    Mutant(
        mistake="a runtime's image for another user than its pods run as",
        file="docker/runtime.Dockerfile",
        old="USER 1000",
        new="USER 1001",
        tests=_USERS,
    ),
    Mutant(
        mistake="pods as another user than their images are made for",
        file="cdk/manifests/security.py",
        old="USER = 1000",
        new="USER = 1001",
        tests=_USERS,
    ),
    Mutant(
        mistake="Valkey as Ray's user",
        file="cdk/manifests/valkey.py",
        old="_USER = 999",
        new="_USER = 1000",
        tests=_USERS,
    ),
    Mutant(
        mistake="a home that belongs to root",
        file="docker/runtime.Dockerfile",
        old="--owner 1000",
        new="--owner 0",
        tests=_USERS,
    ),
    Mutant(
        mistake="a home other than the folder that the user owns",
        file="docker/runtime.Dockerfile",
        old="ENV HOME=/var/lib/atelier",
        new="ENV HOME=/home/atelier",
        tests=_USERS,
    ),
    Mutant(
        mistake="a root that Ray may not write its sessions to",
        file="cdk/manifests/security.py",
        old='{"allowPrivilegeEscalation": False,',
        new='{"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,',
        tests=_USERS,
    ),
    Mutant(
        mistake="checkpoints mounted over the home of a runtime",
        file="cdk/manifests/checkpoints.py",
        old='FOLDER = "/mnt/checkpoints"',
        new='FOLDER = "/var/lib/atelier"',
        tests=_USERS,
    ),
    Mutant(
        mistake="Valkey that writes to its read-only root",
        file="cdk/manifests/valkey.py",
        old='"--dir", "/data"]',
        new='"--dir", "/var/lib/valkey"]',
        tests=_USERS,
    ),
    Mutant(
        mistake="an image that asks how it is where nobody listens",
        file="docker/runtime.Dockerfile",
        old="http://127.0.0.1:52365/api/healthz",
        new="http://127.0.0.1:8265/api/healthz",
        tests=_USERS,
    ),
    Mutant(
        mistake="a Ray container with a command of its own, which KubeRay would leave as it is",
        file="cdk/manifests/pods.py",
        old='"securityContext": security.container(),\n    }',
        new='"securityContext": security.container(),\n        "args": ["ray start"],\n    }',
        tests=_USERS,
    ),
)
