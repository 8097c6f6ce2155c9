"""Names of Kubernetes objects, for manifests that make them and commands that look for them."""

import re
from hashlib import sha256

from models.names import Names
from models.settings import Settings

LABEL = 63
"""Characters of the longest name of a Service, and of the longest value of a label."""
RAY_SERVICE = 47
"""Characters of the longest RayService's name: KubeRay adds to it, for clusters, pods and
Services."""
GROUP = 50
REDIS_PASSWORD = "password"  # noqa: S105 - the name of a key in a Secret
"""Key in the Secret `redis_secret`."""


def label(text: str, longest: int = LABEL) -> str:
    """Write a text as a DNS label; what had to be changed or cut is kept apart by a hash."""
    fit = re.sub(r"[^a-z0-9-]", "-", text.lower()).strip("-")
    if fit == text and len(fit) <= longest:
        return fit
    digest = sha256(text.encode()).hexdigest()[:6]
    return f"{fit[: longest - 7].rstrip('-')}-{digest}"


def ray_service(names: Names) -> str:
    return label(names.stack, RAY_SERVICE)


def serve_service(names: Names) -> str:
    """Name the Service of the HTTP API; KubeRay makes it, and moves it from cluster to cluster."""
    return f"{ray_service(names)}-serve-svc"


def service_account(names: Names, component: str) -> str:
    """Name the service account of a component: ``head``, ``ingest`` or ``runtime``."""
    return f"{ray_service(names)}-{component}"


def redis(names: Names) -> str:
    """Name the StatefulSet and Service of the Redis that keeps the head's state."""
    return f"{ray_service(names)}-redis"


def redis_secret(names: Names) -> str:
    """Name the Secret with the password of Redis; no manifest holds it."""
    return f"{ray_service(names)}-redis"


def keys_secret(names: Names) -> str:
    """Name the Secret whose keys are environment variables: API keys and callback secrets."""
    return f"{ray_service(names)}-keys"


def checkpoints(settings: Settings) -> str:
    """Name the claim of the model bucket; the volume's name, too, after its namespace.

    A hash of bucket and cache is in the name: neither a volume nor a claim can be changed.
    """
    says = f"{settings.model_bucket} {settings.storage.checkpoint_cache}"
    return f"{ray_service(settings.names)}-checkpoints-{sha256(says.encode()).hexdigest()[:6]}"


def pool(names: Names, runtime: str) -> str:
    """Name a runtime's NodePool and EC2NodeClass."""
    return label(f"{names.stack}-runtime-{runtime}")


def cpu_pool(names: Names) -> str:
    """Name the NodePool and EC2NodeClass of pods that the system nodes have no room for."""
    return label(f"{names.stack}-cpu")


def group(runtime: str, capacity: str) -> str:
    """Name a runtime's worker group for one kind of capacity."""
    return label(f"{runtime}-{capacity}", GROUP)
