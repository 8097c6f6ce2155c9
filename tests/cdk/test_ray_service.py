import subprocess
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk.manifests import objects
from cdk.stack import Platform
from cli.aws.tools import unpacked_program
from models.names import kube
from models.settings import Settings
from tests.cdk import graph
from tests.cdk.conftest import Synthesized

CHART = Path(__file__).parents[2] / "cdk" / "secret_chart"


def applier(whole: Synthesized, kind: str) -> str:
    """Return the logical id of the resource that applies the one object of a kind."""
    ((name, _),) = graph.kind(whole, kind)
    return name


def chart(whole: Synthesized, release: str) -> str:
    return graph.charts(whole)[release][0]


def test_the_cluster_is_given_what_the_manifests_say_and_nothing_is_lost_on_the_way(
    whole: Synthesized, platform: Platform, settings: Settings
) -> None:
    """CDK drops `None` without a word, and makes whole numbers of floats."""
    profile = f"<{graph.named(platform, 'Karpenter/NodeProfile')}>"
    expected = objects(settings, instance_profile=profile)
    given = [each for _, each in graph.applied(whole) if each["kind"] != "TargetGroupBinding"]

    assert sorted(given, key=_order) == sorted(expected, key=_order)


def _order(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


@pytest.mark.parametrize("path", ["Ray/Ingest/Association", "Ray/Runtimes/Association"])
def test_pods_come_after_their_roles(whole: Synthesized, platform: Platform, path: str) -> None:
    first = graph.named(platform, path)

    assert first in graph.waits_for(whole.json, applier(whole, "RayService"))


def test_the_ray_service_comes_last(whole: Synthesized, settings: Settings) -> None:
    """CloudFormation deletes it first, while its operator, state and nodes are still there."""
    before = graph.waits_for(whole.json, applier(whole, "RayService"))

    assert chart(whole, "kuberay-operator") in before
    assert chart(whole, kube.redis_secret(settings.names)) in before
    assert applier(whole, "StatefulSet") in before
    assert {name for name, _ in graph.kind(whole, "NodePool")} <= before


def test_weights_go_after_those_who_mount_them_and_with_the_stack_only(
    whole: Synthesized,
) -> None:
    """A changed bucket would take the claim away from pods of the old Ray cluster."""
    before = graph.waits_for(whole.json, applier(whole, "RayService"))
    manifests = whole.resources(graph.MANIFEST)
    never = {name for name, of in manifests.items() if "PruneLabel" not in of["Properties"]}

    assert never == {applier(whole, "PersistentVolume")} <= before
    assert never == {applier(whole, "PersistentVolumeClaim")}


def test_nothing_is_put_into_a_namespace_that_is_not_there_yet(
    whole: Synthesized, settings: Settings
) -> None:
    namespace = applier(whole, "Namespace")

    for name in (
        applier(whole, "RayService"),
        applier(whole, "StatefulSet"),
        chart(whole, "kuberay-operator"),
        chart(whole, kube.redis_secret(settings.names)),
    ):
        assert namespace in graph.waits_for(whole.json, name)


def test_the_operator_may_act_in_the_namespace_of_ray_only(whole: Synthesized) -> None:
    _, operator = graph.charts(whole)["kuberay-operator"]

    assert operator["Version"] == "1.7.0"
    assert operator["Values"]["singleNamespaceInstall"] is True
    assert operator["Values"]["watchNamespace"] == ["atelier"]
    assert operator["Values"]["crNamespacedRbacEnable"] is True


def test_roles_are_those_of_the_pods_service_accounts(
    whole: Synthesized, settings: Settings
) -> None:
    ((_, service),) = graph.kind(whole, "RayService")
    ray = service["spec"]["rayClusterConfig"]
    pods = [ray["headGroupSpec"], *ray["workerGroupSpecs"]]
    used = {pod["template"]["spec"]["serviceAccountName"] for pod in pods}
    associated = {
        each["Properties"]["ServiceAccount"]
        for each in whole.resources("AWS::EKS::PodIdentityAssociation").values()
        if each["Properties"]["Namespace"] == "atelier"
    }

    assert associated <= used
    assert used - associated == {kube.service_account(settings.names, "head")}


def test_a_replica_may_reach_nothing_but_s3(whole: Synthesized, platform: Platform) -> None:
    role = graph.named(platform, "Ray/Runtimes/Role")

    assert graph.actions(whole.json, role) == {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}


def test_a_replica_may_not_change_a_checkpoint(whole: Synthesized, platform: Platform) -> None:
    role = graph.named(platform, "Ray/Runtimes/Role")
    (written,) = (
        each["Resource"]
        for each in graph.statements(whole.json, role)
        if each["Action"] == "s3:PutObject"
    )

    outputs = graph.named(platform, "Storage/Outputs")
    assert written["Fn::Join"][1][0] == {"Fn::GetAtt": [outputs, "Arn"]}


def test_who_mounts_the_checkpoints_may_read_them_and_nothing_else(
    whole: Synthesized, platform: Platform
) -> None:
    role = graph.named(platform, "Cluster/Addons/Mountpoint/Role")
    bucket = {"Fn::GetAtt": [graph.named(platform, "Storage/Checkpoints"), "Arn"]}

    assert graph.actions(whole.json, role) == {"s3:GetObject", "s3:ListBucket"}
    for each in graph.statements(whole.json, role):
        assert each["Resource"] in (bucket, {"Fn::Join": ["", [bucket, "/*"]]})


def rendered() -> Mapping[str, Any]:
    done = subprocess.run(
        [unpacked_program("helm"), "template", "x", CHART, "--set", "name=redis,key=password"],
        capture_output=True,
        text=True,
        check=True,
    )
    secret: dict[str, Any] = yaml.safe_load(done.stdout)
    return secret


def test_the_cluster_makes_the_password_of_its_redis_up() -> None:
    first, other = rendered(), rendered()

    assert first["kind"] == "Secret"
    assert first["metadata"]["name"] == "redis"
    assert len(b64decode(first["data"]["password"])) == 40
    assert first["data"] != other["data"]


def test_the_password_goes_where_the_pods_look_for_it(
    whole: Synthesized, settings: Settings
) -> None:
    _, made = graph.charts(whole)[kube.redis_secret(settings.names)]

    assert made["Namespace"] == "atelier"
    assert made["Values"] == {"name": kube.redis_secret(settings.names), "key": kube.REDIS_PASSWORD}


def test_the_password_of_somebody_elses_redis_is_not_made_up(china: Synthesized) -> None:
    assert set(graph.charts(china)) == {"karpenter-crd", "karpenter", "kuberay-operator"}
