"""What the containers' images are called, and in which registry they are."""

import re

from models.errors import SettingsError
from models.names import Names
from models.settings import Settings
from models.settings.groups import Aws, Runtime

HEAD = "head"
"""The image of the head, of the HTTP front and of ingest."""


def image(settings: Settings, kind: str) -> str:
    """The image of ``head`` or of a runtime's type."""
    images = settings.images
    where = images.repository or f"{registry(settings.aws)}/{settings.names.stack}"
    return f"{where}/atelier-{kind}:{images.tag}"


def image_of(settings: Settings, runtime: Runtime) -> str:
    """What a runtime's replicas run in: its own image, or that of its type."""
    return runtime.pod.image or image(settings, runtime.type)


def registry(aws: Aws) -> str:
    """The account's own."""
    domain = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
    return f"{aws.account}.dkr.ecr.{aws.region}.{domain}"


def repository(names: Names, kind: str) -> str:
    """A repository in the account's own registry: another installation has others."""
    return f"{names.stack}/atelier-{kind}"


def kinds(settings: Settings) -> list[str]:
    """Of which there is a repository; none where ``images.repository`` names a registry."""
    if settings.images.repository is not None:
        return []
    own = (one.type for one in settings.models_runtime if one.pod.image is None)
    return sorted({HEAD, *own})


def architecture(instance_type: str) -> str:
    """As Kubernetes and Docker say it; a ``g`` behind the generation is Graviton: ``m7g``."""
    graviton = re.match(r"^[a-z]+\d+g[a-z]*\.", instance_type)
    return "arm64" if graviton else "amd64"


def architecture_of(settings: Settings, kind: str) -> str:
    """Return the architecture of the nodes on which an image runs.

    Raises:
        SettingsError: they have two, and one image is built for one.
    """
    own = (one for one in settings.models_runtime if one.type == kind and one.pod.image is None)
    head = [settings.cluster_components.instance_type]
    nodes = head if kind == HEAD else [name for one in own for name in one.nodes.instance_types]
    found = sorted({architecture(name) for name in nodes})
    if len(found) != 1:
        raise SettingsError(
            f"{kind}: its nodes are {' and '.join(found)}, and its image is built for one of them;"
            " name one for both as modelsRuntime[].pod.image"
        )
    return found[0]
