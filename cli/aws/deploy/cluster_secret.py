"""Secret that hands the file's API keys and signing secrets to the pods of the cluster.

They are in no template and no manifest: pods get them from the Secret, as environment variables.
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


def apply_keys(cluster: Cluster, settings: Settings) -> Sequence[str]:
    """Apply the Secret; return the names of the pods that restart to read its newest values."""
    name, namespace = kube.keys_secret(settings.names), settings.ray_cluster.namespace
    wanted = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        # Not `stringData`, which is merged: removed keys would stay.
        "data": {
            key: b64encode(value.encode()).decode()
            for key, value in secret_environment(settings).items()
        },
    }
    path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
    applied = cluster.apply(path, wanted)
    # By the time of the last change, which an apply that changes nothing leaves as it was.
    return _restart_pods(
        cluster, settings, max(manager["time"] for manager in applied["metadata"]["managedFields"])
    )


def secret_environment(settings: Settings) -> Mapping[str, str]:
    """Return the secret settings by the environment variables that `Settings` reads them from."""
    environment = {}
    if settings.api_keys:
        environment[_API_KEYS] = json.dumps([_revealed_key(key) for key in settings.api_keys])
    if settings.callbacks.secret:
        environment[_SIGNING] = settings.callbacks.secret.get_secret_value()
    return environment


def _restart_pods(cluster: Cluster, settings: Settings, since: str) -> Sequence[str]:
    """Delete ingest's pods that started by then, or within that second; return their names."""
    path = f"/api/v1/namespaces/{settings.ray_cluster.namespace}/pods"
    selector = urlencode({"labelSelector": _LABELS.format(kube.ray_service(settings.names))})
    pods = (pod["metadata"] for pod in cluster.get(f"{path}?{selector}")["items"])
    # Both in UTC and in whole seconds, so that texts sort as times do.
    old = [pod["name"] for pod in pods if pod["creationTimestamp"] <= since]
    for pod in old:
        cluster.delete(f"{path}/{pod}")
    return old


def _revealed_key(key: ApiKey) -> Mapping[str, Any]:
    """Dump a key for `Settings` to read, with secrets in clear text and without default values."""
    shown = key.model_dump(by_alias=True, exclude_defaults=True)
    revealed: dict[str, Any] = json.loads(json.dumps(shown, default=_revealed))
    return revealed


def _revealed(value: Any) -> str:
    """Serialize a secret or a date and time as text."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.isoformat())
