"""Wait until a deployed platform serves, by what KubeRay writes about its RayService."""

import pytest

from cli.aws.deploy.readiness import Readiness
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.kubernetes.ray_service import RayService
from cli.aws.sdk import NotInTime, ObjectMissing
from models.settings import Settings
from tests.cli.aws.kubernetes_api import KubeApi

SERVICE = "/apis/ray.io/v1/namespaces/atelier/rayservices/studio"
READY = {"type": "Ready", "status": "True"}


def test_a_service_that_serves_is_ready(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.answers[SERVICE] = {"status": {"conditions": [READY]}}
    said: list[str] = []
    Readiness(cluster, settings, said.append, pause=0).wait()

    assert said == ["RayService studio serves"]


def test_what_serve_said_before_it_got_what_is_new_is_not_believed(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """KubeRay asks Serve, hands it the new configuration, and writes the former answer."""

    def say(how: str) -> None:
        app = {"serveDeploymentStatuses": {"Ingress": {"status": how}}}
        active = {"applicationStatuses": {"atelier": app}}
        status = {"observedGeneration": 2, "conditions": [READY], "activeServiceStatus": active}
        kube.answers[SERVICE] = {"metadata": {"generation": 2}, "status": status}

    say("HEALTHY")
    kube.meanwhile = [lambda: None, lambda: say("UPDATING"), lambda: say("HEALTHY")]
    said: list[str] = []
    Readiness(cluster, settings, said.append, pause=0).wait()

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
    with pytest.raises(NotInTime, match="Initializing, painter UPDATING"):
        Readiness(cluster, short, heard, pause=0).wait()
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
    readiness = Readiness(cluster, short, lambda _: None, pause=0)

    with pytest.raises(NotInTime, match="what is new comes up"):
        readiness.wait()
    assert RayService.of(cluster, short).serves


def test_it_does_not_serve_while_ingest_is_away(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    """Ingest's pods restart for new keys; the head's endpoint stays up meanwhile."""
    front = {"Ingress": {"status": "HEALTHY"}, "painter": {"status": "UPSCALING"}}

    def looked(ingest: str) -> bool:
        app = {"serveDeploymentStatuses": {**front, "Ingest": {"status": ingest}}}
        active = {"applicationStatuses": {"atelier": app}}
        kube.answers[SERVICE] = {"status": {"conditions": [READY], "activeServiceStatus": active}}
        return RayService.of(cluster, settings).serves

    assert not looked("UNHEALTHY")
    assert looked("HEALTHY")


def test_what_kuberay_gave_up_is_not_waited_for(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    given_up = {"type": "Ready", "status": "False", "reason": "InitializingTimeout"}
    kube.answers[SERVICE] = {"status": {"conditions": [given_up]}}

    with pytest.raises(NotInTime, match="KubeRay gave up on RayService studio"):
        Readiness(cluster, settings, lambda _: None).wait()
    assert len(kube.asked) == 1


def test_a_cluster_that_lets_nobody_in_leaves_it_to_a_picture(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    kube.refusal = 403
    said: list[str] = []
    Readiness(cluster, settings, said.append).wait()

    assert "is your role in cluster.admins" in said[0]


def test_a_service_that_is_not_there_is_not_waited_for(
    cluster: Cluster, kube: KubeApi, settings: Settings
) -> None:
    said: list[str] = []
    with pytest.raises(ObjectMissing, match="answers 404 to GET") as caught:
        Readiness(cluster, settings, said.append).wait()

    assert not said
    assert "cluster.admins" not in str(caught.value)
