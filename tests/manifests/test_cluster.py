"""Ray cluster: where its pods run, what they end in, whose they are."""

import re
from typing import Any

import pytest

from cdk.manifests import Manifest
from models.errors import SettingsError
from models.names import kube
from tests.manifests.world import made, named, ray_service, runtime, settings


def pods(service: Manifest) -> dict[str, Any]:
    cluster = service["spec"]["rayClusterConfig"]
    groups = {one["groupName"]: one for one in cluster["workerGroupSpecs"]}
    return {n: g["template"] for n, g in {"head": cluster["headGroupSpec"], **groups}.items()}


def kinds(manifests: list[Manifest]) -> list[str]:
    return list(dict.fromkeys(one["kind"] for one in manifests))


def test_objects_come_in_an_order_that_can_be_applied() -> None:
    assert kinds(made()) == [
        "EC2NodeClass",
        "NodePool",
        "Namespace",
        "ServiceAccount",
        "NetworkPolicy",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Service",
        "StatefulSet",
        "PodDisruptionBudget",
        "RayService",
    ]


def test_head_and_ingest_are_never_on_spot_and_replicas_on_their_own_pool() -> None:
    found = {name: one["spec"] for name, one in pods(ray_service()).items()}
    for name in ("head", "ingest"):
        affinity = found[name]["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [
            {"key": "karpenter.sh/capacity-type", "operator": "NotIn", "values": ["spot"]}
        ]

    assert found["pictures-spot"]["nodeSelector"] == {
        "karpenter.sh/nodepool": "easel-runtime-pictures",
        "karpenter.sh/capacity-type": "spot",
    }


def test_a_pod_has_as_long_to_end_as_its_tasks_have() -> None:
    steady = runtime(nodes={"capacity": ["on-demand"]})
    found = pods(ray_service(steady, tasks={"drainSeconds": 300}))
    env = {name: _environment(one) for name, one in found.items()}

    assert found["pictures-on-demand"]["spec"]["terminationGracePeriodSeconds"] == 335
    assert env["pictures-on-demand"]["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "315"
    assert found["ingest"]["spec"]["terminationGracePeriodSeconds"] == 635


def test_spots_notice_is_enough_for_the_longest_drain_there() -> None:
    found = pods(ray_service(tasks={"drainSeconds": 75}))["pictures-spot"]

    assert found["spec"]["terminationGracePeriodSeconds"] == 110
    assert _environment(found)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"] == "90"


def test_only_the_front_has_the_keys_and_only_the_head_kubernetes() -> None:
    found = {name: one["spec"] for name, one in pods(ray_service()).items()}
    keys = {n for n, spec in found.items() if "envFrom" in spec["containers"][0]}
    tokens = {n for n, spec in found.items() if spec["automountServiceAccountToken"]}

    assert keys == {"ingest"}
    assert tokens == {"head"}


def test_each_part_is_somebody_else_to_aws() -> None:
    found = pods(ray_service())

    assert {name: one["spec"]["serviceAccountName"] for name, one in found.items()} == {
        "head": "easel-head",
        "ingest": "easel-ingest",
        "pictures-spot": "easel-runtime",
        "pictures-on-demand": "easel-runtime",
    }


def test_images_come_from_the_accounts_registry_in_china_too() -> None:
    aws = {"account": "111122223333", "region": "cn-north-1", "partition": "aws-cn"}
    found = pods(ray_service(aws=aws))["head"]["spec"]["containers"][0]

    assert found["image"] == (
        "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/easel/atelier-head:0.1.0"
    )


def test_the_model_bucket_is_mounted_for_reading_under_a_name_of_its_own() -> None:
    volumes = [
        named(made(**more), "PersistentVolume", name)["spec"]
        for more, name in (
            ({}, "atelier-easel-checkpoints-9f611b"),
            ({"stackName": "other"}, "atelier-other-checkpoints-9f611b"),
            ({"rayCluster": {"namespace": "rays"}}, "rays-easel-checkpoints-9f611b"),
        )
    ]

    assert len({one["csi"]["volumeHandle"] for one in volumes}) == 3
    assert volumes[0]["claimRef"] == {"namespace": "atelier", "name": "easel-checkpoints-9f611b"}
    assert volumes[0]["mountOptions"] == ["read-only", "allow-other", "region eu-west-1"]


@pytest.mark.parametrize(
    "changed",
    [{"modelBucketArn": "arn:aws:s3:::others"}, {"storage": {"checkpointCache": 9}}],
)
def test_another_bucket_or_cache_is_another_volume_since_none_can_be_changed(changed: Any) -> None:
    before, after = made(), made(**changed)
    for kind in ("PersistentVolume", "PersistentVolumeClaim"):
        old, new = (one for all_ in (before, after) for one in all_ if one["kind"] == kind)
        assert old["metadata"]["name"] != new["metadata"]["name"]

    pods_of = [pods(one[-1])["pictures-spot"]["spec"]["volumes"] for one in (before, after)]
    assert pods_of[0] != pods_of[1]


def test_a_claim_of_ones_own_takes_the_buckets_place_for_its_runtime() -> None:
    found = pods(ray_service(runtime(pod={"existingClaim": "mine"}), runtime("other")))
    claims = {
        name: one["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
        for name, one in found.items()
        if "volumes" in one["spec"]
    }

    assert (claims["pictures-spot"], claims["other-spot"]) == (
        "mine",
        "easel-checkpoints-9f611b",
    )


def test_a_runtime_without_weights_is_refused() -> None:
    with pytest.raises(SettingsError, match="weights-mounted: pictures-spot: no weights"):
        made(modelBucketArn=None, checkpoints="/here")


def test_an_upgrade_is_as_it_is_set() -> None:
    service = ray_service(rayCluster={"upgrade": "None", "readyMinutes": 12})

    assert service["spec"]["upgradeStrategy"] == {"type": "None"}
    assert service["metadata"]["annotations"] == {"ray.io/initializing-timeout": "12m"}


def test_secrets_are_named_and_never_made() -> None:
    service = ray_service()
    state = service["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]

    assert state["redisAddress"] == "easel-redis:6379"
    assert state["redisPassword"]["valueFrom"]["secretKeyRef"] == {
        "name": kube.redis_secret(settings().names),
        "key": "password",
    }
    assert "Secret" not in kinds(made())


def test_names_fit_and_none_is_anothers() -> None:
    names = ["two-words", "two_words", "Two-words", "two-words-", "a" * 63, "a" * 64, "a" * 65]
    labels = [kube.label(name) for name in names]

    assert labels[0] == "two-words"
    assert len(set(labels)) == len(names)
    for one in labels:
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", one)


def _environment(template: Any) -> dict[str, str]:
    return {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}


def test_the_state_is_kept_by_the_images_own_user_in_its_own_folder() -> None:
    """The image's makers number it 999 in every variant, and let it write to /data."""
    pod = named(made(), "StatefulSet", "easel-redis")["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 999
    assert "--dir /data" in " ".join(pod["containers"][0]["args"])
