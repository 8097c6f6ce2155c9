"""API keys and what signs callbacks, on their way from the file into the cluster.

They are in no template and no manifest: pods get them from a Secret, as environment variables.
"""

import json
from collections.abc import Mapping
from typing import Any

from cli.aws.kubernetes import Cluster
from models import kube
from models.parts import ApiKey
from models.settings import Settings

_API_KEYS = "ATELIER_APIKEYS"
_SIGNING = "ATELIER_CALLBACKS__SECRET"


def give_keys(cluster: Cluster, settings: Settings) -> bool:
    """Put them there; False where the file has none. Pods that run already keep what they have."""
    secrets = secrets_of(settings)
    if not secrets:
        return False
    name, namespace = kube.keys_secret(settings), settings.ray_cluster.namespace
    wanted = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "stringData": secrets,
    }
    cluster.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", wanted)
    return True


def secrets_of(settings: Settings) -> Mapping[str, str]:
    """By the environment variable that `Settings` reads each from."""
    found = {}
    if settings.api_keys:
        found[_API_KEYS] = json.dumps([_shown(key) for key in settings.api_keys])
    if settings.callbacks.secret:
        found[_SIGNING] = settings.callbacks.secret.get_secret_value()
    return found


def _shown(key: ApiKey) -> Mapping[str, Any]:
    signing = key.callback_secret
    own = {"callbackSecret": signing.get_secret_value()} if signing else {}
    return {"name": key.name, "key": key.key.get_secret_value(), **own}
