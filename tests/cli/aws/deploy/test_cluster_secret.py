"""The Secret with API keys and signing secrets, and the pods that read it."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.aws.deploy.cluster_secret import apply_keys, secret_environment
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import AwsError
from models.settings import Settings
from tests.cli.aws.conftest import CLUSTER
from tests.cli.aws.kubernetes_api import KubeApi
from tests.cli.aws.platform import KEY, file_of, write

KEYS = "/api/v1/namespaces/atelier/secrets/studio-keys"
PODS = "/api/v1/namespaces/atelier/pods"
NOON = "2026-05-01T12:00:00Z"


def test_api_keys_go_into_a_secret_and_nowhere_else(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.answers |= {KEYS: secret_of(NOON), PODS: {"items": []}}
    anew = apply_keys(cluster, settings)
    sent = json.loads(kube.asked[0].body)

    assert not anew
    assert kube.asked[0].method == "PATCH"
    assert json.loads(b64decode(sent["data"]["ATELIER_APIKEYS"])) == [{"name": "us", "key": KEY}]
    kube.answers.clear()
    with pytest.raises(AwsError, match="answers 404 to PATCH"):
        apply_keys(cluster, settings)


def test_pods_that_started_before_the_keys_changed_start_anew(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """A change within the second of their start may be one that they have missed."""
    pods = {"older": "2026-05-01T11:59:59Z", "same": NOON, "newer": "2026-05-01T12:00:01Z"}
    items = [{"metadata": {"name": n, "creationTimestamp": at}} for n, at in pods.items()]
    kube.answers |= {KEYS: secret_of("2026-04-01T00:00:00Z", NOON), PODS: {"items": items}}
    kube.answers[f"{PODS}/older"] = {}  # the other pod is gone already
    anew = apply_keys(cluster, settings)
    query = parse_qs(urlsplit(kube.asked[1].path).query)

    assert anew == ["older", "same"]
    assert [one.path for one in kube.asked if one.method == "DELETE"] == [
        f"{PODS}/older",
        f"{PODS}/same",
    ]
    assert query["labelSelector"] == [
        "app.kubernetes.io/instance=studio,app.kubernetes.io/component=ingest"
    ]


def test_a_file_without_keys_takes_back_those_of_before(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.answers |= {KEYS: secret_of(NOON), PODS: {"items": []}}
    apply_keys(cluster, settings.model_copy(update={"api_keys": ()}))

    assert json.loads(kube.asked[0].body)["data"] == {}


def secret_of(*changed: str) -> dict[str, Any]:
    """Make the API's answer to an applied Secret: who changed it, and when."""
    return {"metadata": {"managedFields": [{"time": at} for at in changed]}}


def test_what_the_pods_get_is_what_settings_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = "whsec_" + "c2VjcmV0" * 4
    key = {"name": "us", "key": "k", "callbackSecret": secret}
    more = {"apiKeys": [key], "callbacks": {"secret": secret}}
    given = Settings.read(args=file_of(CLUSTER, **more))
    for name, value in secret_environment(given).items():
        monkeypatch.setenv(name, value)
    bare = file_of(CLUSTER)
    del bare["apiKeys"]

    read = Settings.read(write(tmp_path / "bare.yaml", bare))

    assert read.api_keys == given.api_keys
    assert read.callbacks == given.callbacks
