"""Names of the containers' images, and the registry they are in."""

import re

from models.errors import SettingsError
from models.names import Names
from models.settings import Settings
from models.settings.groups import Aws, Runtime

HEAD = "head"
"""Kind of the image of the head, of the HTTP API and of ingest."""


def image(settings: Settings, kind: str) -> str:
    """Name the image of ``head`` or of a runtime's type, with its registry and tag."""
    images = settings.images
    where = images.repository or f"{registry(settings.aws)}/{settings.names.stack}"
    return f"{where}/atelier-{kind}:{images.tag}"


def image_of(settings: Settings, runtime: Runtime) -> str:
    """Name the image of a runtime's replicas: its own, or that of its type."""
    return runtime.pod.image or image(settings, runtime.type)


def registry(aws: Aws) -> str:
    """Name the account's own registry."""
    domain = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    return f"{aws.account}.dkr.ecr.{aws.region}.{domain}"


def repository(names: Names, kind: str) -> str:
    """Name a repository in the account's registry; another installation has others."""
    return f"{names.stack}/atelier-{kind}"


def kinds(settings: Settings) -> list[str]:
    """List image kinds that need an ECR repository; none if ``images.repository`` is set."""
    if settings.images.repository is not None:
        return []
    own = (runtime.type for runtime in settings.models_runtime if runtime.pod.image is None)
    return sorted({HEAD, *own})


def architecture(instance_type: str) -> str:
    """Name a processor as Kubernetes and Docker do; a ``g`` behind the generation is Graviton."""
    # Takes m7g, c7gn and g5g; refuses g6 and g4dn, whose g is the family's name.
    graviton = re.match(r"^[a-z]+\d+g[a-z]*\.", instance_type)
    return "arm64" if graviton else "amd64"


def architecture_of(settings: Settings, kind: str) -> str:
    """Return the architecture of the nodes on which an image runs.

    Raises:
        SettingsError: they have two, and one image is built for one.
    """
    own = (
        runtime
        for runtime in settings.models_runtime
        if runtime.type == kind and runtime.pod.image is None
    )
    head = [settings.cluster_components.instance_type]
    types = (name for runtime in own for name in runtime.nodes.instance_types)
    nodes = head if kind == HEAD else types
    found = sorted({architecture(name) for name in nodes})
    if len(found) != 1:
        raise SettingsError(
            f"{kind}: its nodes are {' and '.join(found)}, and its image is built for one of them;"
            " name one for both as modelsRuntime[].pod.image"
        )
    return found[0]
