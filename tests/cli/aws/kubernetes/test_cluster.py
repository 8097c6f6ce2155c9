"""Cluster's API: tokens, kubectl and its configuration, over TLS and with a real kubectl."""

import json
import ssl
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import NotReachable
from models.settings import Settings
from tests.cli.aws.conftest import CLUSTER, Call
from tests.cli.aws.kubernetes_api import KubeApi, kube_api
from tests.cli.aws.platform import write


def test_a_token_is_a_signed_question_to_sts_about_this_cluster(moto: None, atelier: Call) -> None:
    result = atelier("token", "--cluster", CLUSTER, "--region", "eu-central-1")
    said = json.loads(result.stdout)
    text = said["status"]["token"].removeprefix("k8s-aws-v1.")
    url = urlsplit(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    query = parse_qs(url.query)

    assert said["kind"] == "ExecCredential"
    assert url.netloc == "sts.eu-central-1.amazonaws.com"
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert int(query["X-Amz-Expires"][0]) <= 900


def test_in_china_it_is_asked_of_chinas_own_sts(moto: None, atelier: Call) -> None:
    result = atelier("token", "--cluster", CLUSTER, "--region", "cn-north-1")
    text = json.loads(result.stdout)["status"]["token"].removeprefix("k8s-aws-v1.")

    url = urlsplit(urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    assert url.netloc == "sts.cn-north-1.amazonaws.com.cn"


def test_without_credentials_there_is_no_token(
    moto: None, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    result = atelier("token", "--cluster", CLUSTER, "--region", "eu-central-1")

    assert result.exit_code == 3
    assert "aws sso login" in result.output


def test_kubectl_comes_along_and_reaches_the_cluster(
    kube: KubeApi, settings: Settings, atelier: Call, capfd: pytest.CaptureFixture[str]
) -> None:
    """Kubectl asks `atelier aws token` for the token, as `kubeconfig` writes it."""
    kube.answers["/version"] = {"gitVersion": "v1.36.9"}
    result = atelier("kubectl", "-n", CLUSTER, "--", "get", "--raw", "/version")

    assert result.exit_code == 0
    assert json.loads(capfd.readouterr().out) == {"gitVersion": "v1.36.9"}
    assert kube.asked[-1].authorization.startswith("Bearer k8s-aws-v1.")


def test_its_exit_code_is_kubectls(kube: KubeApi, settings: Settings, atelier: Call) -> None:
    assert atelier("kubectl", "-n", CLUSTER, "--", "no-such-command").exit_code == 1


def test_kubeconfig_keeps_what_others_wrote_and_renews_its_own(
    kube: KubeApi, settings: Settings, atelier: Call, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    other = {"name": "other", "cluster": {"server": "https://other"}}
    write(file, {"apiVersion": "v1", "kind": "Config", "clusters": [other], "preferences": {}})
    for _ in range(2):
        assert atelier("kubeconfig", "-n", CLUSTER, "--file", file).exit_code == 0
    written = yaml.safe_load(file.read_text())

    assert [each["name"] for each in written["clusters"]] == ["other", "atelier-studio"]
    assert len(written["users"]) == len(written["contexts"]) == 1
    assert written["current-context"] == "atelier-studio"
    assert written["preferences"] == {}
    assert file.stat().st_mode & 0o077 == 0


def test_a_file_that_is_no_kubeconfig_is_left_alone(
    kube: KubeApi, settings: Settings, atelier: Call, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text("- a list\n")
    result = atelier("kubeconfig", "-n", CLUSTER, "--file", file)

    assert result.exit_code == 2
    assert file.read_text() == "- a list\n"


def test_a_cluster_that_does_not_answer_is_away(cluster: Cluster, kube: KubeApi) -> None:
    known: Any = eks_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].clusters[CLUSTER]
    known.endpoint = "https://127.0.0.1:1"

    with pytest.raises(NotReachable, match=r"cluster\.publicAccessCidrs"):
        cluster.get("/version")


def test_an_authority_without_key_identifiers_is_trusted(
    cluster: Cluster, kube: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EKS's certificates have none, like those here; Python 3.13 and later make strict contexts."""
    lenient = ssl.create_default_context

    def strict(**given: Any) -> ssl.SSLContext:
        context = lenient(**given)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    kube.answers["/version"] = {"major": "1"}

    assert cluster.get("/version") == {"major": "1"}


def test_another_authority_is_not_trusted(cluster: Cluster, kube: KubeApi, tmp_path: Path) -> None:
    known: Any = eks_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].clusters[CLUSTER]
    (tmp_path / "other").mkdir()
    with kube_api(tmp_path / "other") as other:
        known.certificate_authority = {"data": other.authority}

        with pytest.raises(NotReachable):
            cluster.get("/version")
    assert not kube.asked
