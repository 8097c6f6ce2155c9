"""API keys and what signs callbacks, on their way from the file into the cluster.

They are in no template and no manifest: pods get them from a Secret, as environment variables.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from pydantic import SecretStr

from cli.aws.kubernetes.cluster import Cluster
from models.names import kube
from models.settings import Settings
from models.settings.api_keys import ApiKey

_API_KEYS = "ATELIER_APIKEYS"
_SIGNING = "ATELIER_CALLBACKS__SECRET"
_LABELS = "app.kubernetes.io/instance={},app.kubernetes.io/component=ingest"


def give_keys(cluster: Cluster, settings: Settings) -> Sequence[str]:
    """Put them there; the names of the pods that start anew, as they have what was there before."""
    name, namespace = kube.keys_secret(settings.names), settings.ray_cluster.namespace
    wanted = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        # Not `stringData`: what is in there no more would stay.
        "data": {key: _encoded(value) for key, value in secrets_of(settings).items()},
    }
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    given = cluster.apply(path, wanted)
    return _ended(cluster, settings, max(one["time"] for one in given["metadata"]["managedFields"]))


def secrets_of(settings: Settings) -> Mapping[str, str]:
    """By the environment variable that `Settings` reads each from."""
    found = {}
    if settings.api_keys:
        found[_API_KEYS] = json.dumps([_shown(key) for key in settings.api_keys])
    if settings.callbacks.secret:
        found[_SIGNING] = settings.callbacks.secret.get_secret_value()
    return found


def _ended(cluster: Cluster, settings: Settings, since: str) -> Sequence[str]:
    """The pods of ingest that started before then, or in the same second."""
    there = f"/api/v1/namespaces/{settings.ray_cluster.namespace}/pods"
    ours = urlencode({"labelSelector": _LABELS.format(kube.ray_service(settings.names))})
    pods = (pod["metadata"] for pod in cluster.get(f"{there}?{ours}")["items"])
    old = [pod["name"] for pod in pods if pod["creationTimestamp"] <= since]
    for pod in old:
        cluster.delete(f"{there}/{pod}")
    return old


def _shown(key: ApiKey) -> Mapping[str, Any]:
    """Dump a key for `Settings` to read, with its secrets in clear and without default values."""
    shown = key.model_dump(by_alias=True, exclude_defaults=True)
    revealed: dict[str, Any] = json.loads(json.dumps(shown, default=_revealed))
    return revealed


def _revealed(value: Any) -> str:
    """A secret or a moment, as text."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.isoformat())


def _encoded(value: str) -> str:
    return b64encode(value.encode()).decode()
