"""Check that the region offers what is pinned: versions of EKS's add-ons, and Bottlerocket."""

import re
from collections.abc import Iterator

from botocore.exceptions import ClientError

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, code_of, suppressed
from cli.aws.snapshot.recipe import ami_parameter
from models.addons import ADDONS, addon_version
from models.names.images import architecture
from models.settings import Settings

_NVIDIA = "-nvidia"
"""Suffix of the Bottlerocket variant that Karpenter chooses for instances with NVIDIA GPUs."""
_ANOTHER = "choose another cluster.version"
_IN_SSM = {"amd64": "x86_64", "arm64": "arm64"}  # Bottlerocket's words for them


def addons(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that EKS offers each add-on in its pinned version, else in any version."""
    kubernetes = settings.cluster.version
    try:
        yield from _addons(aws, kubernetes)
    except ClientError as exc:
        if code_of(exc) != "InvalidParameterException":  # EKS's code for an unknown version
            raise
        yield Finding("add-ons", "missing", exc.response["Error"]["Message"], _ANOTHER)


def _addons(aws: Aws, kubernetes: str) -> Iterator[Finding]:
    wrong = [found for name in ADDONS if (found := _addon(aws, name, kubernetes))]
    yield from wrong or [Finding("add-ons", "there", f"as pinned, for Kubernetes {kubernetes}")]


def bottlerocket(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that SSM knows the nodes' AMIs, for each variant and architecture that they need."""
    version = settings.cluster.bottlerocket
    missing = [
        variant for variant, parameter in _images(settings).items() if not _is_there(aws, parameter)
    ]
    if missing:
        remedy = "choose a cluster.bottlerocket that this region has for cluster.version"
        yield Finding("Bottlerocket", "missing", f"{version} for {', '.join(missing)}", remedy)
    else:
        yield Finding("Bottlerocket", "there", version)


def _addon(aws: Aws, name: str, kubernetes: str) -> Finding | None:
    """Describe what is missing of an add-on; None if nothing is."""
    offered = _offered(aws, name, kubernetes)
    if not offered:
        text = f"not offered for Kubernetes {kubernetes}"
        return Finding(f"add-on {name}", "missing", text, _ANOTHER)
    pinned = addon_version(name, kubernetes)
    if pinned is None or pinned in offered:
        return None
    text = f"{pinned} is not offered for Kubernetes {kubernetes}"
    remedy = f"pin {max(offered, key=_age)} in models/addons.py, the newest that is"
    return Finding(f"add-on {name}", "missing", text, remedy)


def _offered(aws: Aws, name: str, kubernetes: str) -> list[str]:
    found = aws.paginated(
        "eks", "describe_addon_versions", "addons", addonName=name, kubernetesVersion=kubernetes
    )
    return [version["addonVersion"] for addon in found for version in addon["addonVersions"]]


def _age(version: str) -> list[int]:
    # As numbers: by letters, `eksbuild.10` would be older than `eksbuild.9`.
    return [int(number) for number in re.findall(r"\d+", version)]


def _images(settings: Settings) -> dict[str, str]:
    """Return the SSM parameter of each variant and architecture, as Karpenter asks for it."""
    wanted = {("", architecture(settings.cluster_components.instance_type))}
    for runtime in settings.models_runtime:
        variant = _NVIDIA if runtime.gpus else ""
        wanted |= {(variant, architecture(kind)) for kind in runtime.nodes.instance_types}
    version = settings.cluster.version
    return {
        f"aws-k8s-{version}{variant} {arch}": ami_parameter(settings, _IN_SSM[arch], variant)
        for variant, arch in sorted(wanted)
    }


def _is_there(aws: Aws, parameter: str) -> bool:
    with suppressed("ParameterNotFound"):
        return bool(aws.client("ssm").get_parameter(Name=parameter))
    return False
