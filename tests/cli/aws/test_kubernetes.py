"""The cluster: its token, kubectl's configuration, readiness; over TLS and a real kubectl."""

import json
import ssl
from base64 import b64decode, urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from moto.core import DEFAULT_ACCOUNT_ID
from moto.eks.models import eks_backends

from cli.aws.errors import Away, AwsError, Late, Missing
from cli.aws.keys import give_keys
from cli.aws.kubernetes import Cluster
from cli.aws.ready import Readiness
from models.settings import Settings
from tests.cli.aws.conftest import CLUSTER, Call
from tests.cli.aws.kube import KubeApi, kube_api
from tests.cli.aws.platform import KEY, file_of, write

SERVICE = "/apis/ray.io/v1/namespaces/atelier/rayservices/studio"
READY = {"type": "Ready", "status": "True"}
KEYS = "/api/v1/namespaces/atelier/secrets/studio-keys"
PODS = "/api/v1/namespaces/atelier/pods"
NOON = "2026-05-01T12:00:00Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    aws = {"region": "us-east-1", "account": DEFAULT_ACCOUNT_ID}
    path = write(tmp_path / "config.studio.yaml", file_of(CLUSTER, aws=aws))
    return Settings.read(path)


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
    """It asks `atelier aws token` for the token, as `kubeconfig` writes it."""
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


def test_a_service_that_serves_is_ready(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.answers[SERVICE] = {"status": {"conditions": [READY]}}
    said: list[str] = []
    Readiness(cluster.aws, settings, said.append, pause=0).wait()

    assert said == ["RayService studio serves"]


def test_what_serve_said_before_it_got_what_is_new_is_not_believed(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """KubeRay asks it, gives it what is new, and writes the former answer, as one to the latter."""

    def say(how: str) -> None:
        app = {"serveDeploymentStatuses": {"Ingress": {"status": how}}}
        active = {"applicationStatuses": {"atelier": app}}
        status = {"observedGeneration": 2, "conditions": [READY], "activeServiceStatus": active}
        kube.answers[SERVICE] = {"metadata": {"generation": 2}, "status": status}

    say("HEALTHY")
    kube.meanwhile = [lambda: None, lambda: say("UPDATING"), lambda: say("HEALTHY")]
    said: list[str] = []
    Readiness(cluster.aws, settings, said.append, pause=0).wait()

    assert said == ["RayService studio: Ingress UPDATING", "RayService studio serves"]
    assert len(kube.asked) == 4


def test_what_it_waits_for_is_told_once(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    waiting = {"type": "Ready", "status": "False", "reason": "Initializing"}
    app = {"serveDeploymentStatuses": {"painter": {"status": "UPDATING"}}}
    status = {
        "conditions": [waiting],
        "pendingServiceStatus": {"applicationStatuses": {"atelier": app}},
    }
    kube.answers[SERVICE] = {"status": status}
    said: list[str] = []

    def heard(text: str) -> None:
        said.append(text)

    short = settings.model_copy(
        update={"ray_cluster": settings.ray_cluster.model_copy(update={"ready_minutes": 0})}
    )
    with pytest.raises(Late, match="Initializing, painter UPDATING"):
        Readiness(cluster.aws, short, heard, pause=0).wait()
    assert said == ["RayService studio: Initializing, painter UPDATING"]


@pytest.mark.parametrize(
    ("generation", "upgrade"),
    [(3, "False"), (2, "True")],
    ids=["not seen yet", "a new cluster comes up"],
)
def test_what_the_old_cluster_serves_is_not_what_was_applied(
    cluster: Cluster, kube: KubeApi, settings: Settings, generation: int, upgrade: str
) -> None:
    conditions = [READY, {"type": "UpgradeInProgress", "status": upgrade}]
    status = {"observedGeneration": 2, "conditions": conditions}
    kube.answers[SERVICE] = {"metadata": {"generation": generation}, "status": status}
    short = settings.model_copy(
        update={"ray_cluster": settings.ray_cluster.model_copy(update={"ready_minutes": 0})}
    )
    readiness = Readiness(cluster.aws, short, lambda _: None, pause=0)

    with pytest.raises(Late, match="what is new comes up"):
        readiness.wait()
    assert readiness.look().serves


def test_it_does_not_serve_while_ingest_is_away(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """Its pods start anew for new keys; the head's endpoint is there all the time."""
    front = {"Ingress": {"status": "HEALTHY"}, "painter": {"status": "UPSCALING"}}

    def looked(ingest: str) -> bool:
        app = {"serveDeploymentStatuses": {**front, "Ingest": {"status": ingest}}}
        active = {"applicationStatuses": {"atelier": app}}
        kube.answers[SERVICE] = {"status": {"conditions": [READY], "activeServiceStatus": active}}
        return Readiness(cluster.aws, settings, lambda _: None).look().serves

    assert not looked("UNHEALTHY")
    assert looked("HEALTHY")


def test_what_kuberay_gave_up_is_not_waited_for(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    given_up = {"type": "Ready", "status": "False", "reason": "InitializingTimeout"}
    kube.answers[SERVICE] = {"status": {"conditions": [given_up]}}

    with pytest.raises(Late, match="KubeRay gave up on RayService studio"):
        Readiness(cluster.aws, settings, lambda _: None).wait()
    assert len(kube.asked) == 1


def test_a_cluster_that_lets_nobody_in_leaves_it_to_a_picture(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.refusal = 403
    said: list[str] = []
    Readiness(cluster.aws, settings, said.append).wait()

    assert "is your role in cluster.admins" in said[0]


def test_a_service_that_is_not_there_is_not_waited_for(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    said: list[str] = []
    with pytest.raises(Missing, match="answers 404 to GET") as caught:
        Readiness(cluster.aws, settings, said.append).wait()

    assert not said
    assert "cluster.admins" not in str(caught.value)


def test_a_cluster_that_does_not_answer_is_away(cluster: Cluster, kube: KubeApi) -> None:
    known: Any = eks_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].clusters[CLUSTER]
    known.endpoint = "https://127.0.0.1:1"

    with pytest.raises(Away, match=r"cluster\.publicAccessCidrs"):
        cluster.get("/version")


def test_an_authority_without_key_identifiers_is_trusted(
    cluster: Cluster, kube: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EKS's certificates have none, as those here; Python 3.13 and later make strict contexts."""
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

        with pytest.raises(Away):
            cluster.get("/version")
    assert not kube.asked


def test_api_keys_go_into_a_secret_and_nowhere_else(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.answers |= {KEYS: secret_of(NOON), PODS: {"items": []}}
    anew = give_keys(cluster, settings)
    sent = json.loads(kube.asked[0].body)

    assert not anew
    assert kube.asked[0].method == "PATCH"
    assert json.loads(b64decode(sent["data"]["ATELIER_APIKEYS"])) == [{"name": "us", "key": KEY}]
    kube.answers.clear()
    with pytest.raises(AwsError, match="answers 404 to PATCH"):
        give_keys(cluster, settings)


def test_pods_that_started_before_the_keys_changed_start_anew(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """A change within the second of their start may be one that they have missed."""
    pods = {"older": "2026-05-01T11:59:59Z", "same": NOON, "newer": "2026-05-01T12:00:01Z"}
    items = [{"metadata": {"name": n, "creationTimestamp": at}} for n, at in pods.items()]
    kube.answers |= {KEYS: secret_of("2026-04-01T00:00:00Z", NOON), PODS: {"items": items}}
    kube.answers[f"{PODS}/older"] = {}  # the other is gone by then
    anew = give_keys(cluster, settings)
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
    give_keys(cluster, settings.model_copy(update={"api_keys": ()}))

    assert json.loads(kube.asked[0].body)["data"] == {}


def secret_of(*changed: str) -> dict[str, Any]:
    """As the cluster answers when it is applied: who changed it, and when."""
    return {"metadata": {"managedFields": [{"time": at} for at in changed]}}


def test_what_the_pods_get_is_what_settings_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cli.aws.keys import secrets_of  # noqa: PLC0415

    secret = "whsec_" + "c2VjcmV0" * 4
    key = {"name": "us", "key": "k", "callbackSecret": secret}
    more = {"apiKeys": [key], "callbacks": {"secret": secret}}
    given = Settings.read(args=file_of(CLUSTER, **more))
    for name, value in secrets_of(given).items():
        monkeypatch.setenv(name, value)
    bare = file_of(CLUSTER)
    del bare["apiKeys"]

    read = Settings.read(write(tmp_path / "bare.yaml", bare))

    assert read.api_keys == given.api_keys
    assert read.callbacks == given.callbacks
