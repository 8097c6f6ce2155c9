"""Settings that are taken and change nothing, which alone are told by their names."""

from typing import Any

import pytest

from models.settings import Settings
from models.settings.unused import unused, unused_here, unused_on_aws
from tests.models.settings.test_settings import REFERENCE

LEAST: dict[str, Any] = {
    "stackName": "a",
    "modelBucketArn": "arn:aws:s3:::weights",
    "modelsRuntime": [{"name": "sd", "type": "diffusers"}],
}


def settings(more: dict[str, Any], **runtime: Any) -> Settings:
    runtimes = [{**LEAST["modelsRuntime"][0], **runtime}]
    return Settings.read(args={**LEAST, "modelsRuntime": runtimes, **more})


def scaling(**given: Any) -> dict[str, Any]:
    return {"runtime": {"scaling": given}}


def test_nothing_is_told_of_what_nobody_set() -> None:
    assert [*unused_on_aws(settings({})), *unused_here(settings({}))] == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"front": {"waf": True}}, "front: no effect here: front.enabled is false"),
        ({"edge": {"enabled": False, "memory": 999}}, "edge: no effect here: edge.enabled is"),
        ({"edge": {"enabled": False}, "APIGW": {"stageName": "x"}}, "APIGW.stageName: no effect"),
        (
            {"vpc": {"id": "vpc-0", "privateSubnets": ["a", "b", "c"], "natGateways": 2}},
            "vpc.natGateways: no effect here: the network of vpc.id has its own; remove it",
        ),
        (
            {"images": {"repository": "registry.example.org", "keep": 7}},
            "images.keep: no effect here: images.repository is somebody else's registry",
        ),
        (
            {"rayCluster": {"redisAddress": "r:6379", "redisImage": "mine"}},
            "rayCluster.redisImage: no effect here: redisAddress is used instead",
        ),
        (
            {
                "modelBucketArn": None,
                "checkpoints": "/mnt",
                "storage": {"checkpointCache": 7},
            },
            "storage.checkpointCache: no effect here: there is no modelBucketArn; remove it",
        ),
    ],
)
def test_what_another_setting_takes_the_effect_from(more: dict[str, Any], told: str) -> None:
    found = unused_on_aws(settings(more))

    assert any(each.startswith(told) for each in found), found
    assert not unused(settings(more))


def test_a_switch_alone_is_an_effect() -> None:
    assert unused_on_aws(settings({"edge": {"enabled": False}})) == []


def test_a_disk_that_the_images_do_not_use() -> None:
    volume = {"dataVolume": {"size": 200}}
    [told] = unused_on_aws(settings({}, nodes=volume))

    assert told.startswith("modelsRuntime[sd].nodes.dataVolume: no effect here: with imageCache")
    assert not unused_on_aws(settings({}, nodes={**volume, "imageCache": "none"}))


def test_the_namespace_in_which_the_pods_are_anyway() -> None:
    assert not unused(settings({}, namespace="atelier"))
    assert len(unused(settings({"rayCluster": {"namespace": "art"}}, namespace="atelier"))) == 1


def test_a_laptop_is_told_of_groups_in_one_line() -> None:
    more = {"vpc": {"natGateways": 2}, "alarms": {"interruptions": 7}, "APIGW": {"stageName": "x"}}
    [told] = unused_here(settings(more, pod={"cpu": 3}))
    names = "vpc, alarms, modelsRuntime[].pod, APIGW.stageName"

    assert told.startswith(f"{names}: no effect on this machine; `atelier")


def test_the_references_scaling_by_queue_length_is_none_of_it() -> None:
    given = scaling(queueLength=5, pollingInterval=1, minReplicaCount=0, cooldownPeriod=300)

    assert not unused(settings({}, extraValues=given))


def test_scaling_that_is_switched_off_is_told() -> None:
    given = scaling(enabled=False, queueLength=5, maxReplicaCount=7)
    given["runtime"]["replicas"] = 2
    told = unused(settings({}, extraValues=given))
    why = "no effect here: runtime.scaling.enabled is false, so runtime.replicas stay as they are"

    assert [each.partition("; ")[0].rpartition("scaling.enabled")[0] for each in told] == [
        f"modelsRuntime[sd].extraValues.runtime.scaling.{name}: no effect here: runtime."
        for name in ("queueLength", "maxReplicaCount")
    ]
    assert all(why in each for each in told)


def test_replicas_of_a_chart_that_scales_are_told() -> None:
    [told] = unused(settings({}, extraValues={"runtime": {"replicas": 2}}))

    assert told.startswith("modelsRuntime[sd].extraValues.runtime.replicas: no effect here: the qu")


def test_what_of_an_autoscaler_is_no_rate_is_told_by_its_name() -> None:
    down = {"policies": [], "tolerance": 0.2, "selectPolicy": None}
    config = {"behavior": {"scaleDown": down, "scaleUp": None}, "minReplicas": 2, "x-y": 1}
    told = unused(settings({}, extraValues=scaling(extraHPAConfig=config)))
    path = "modelsRuntime[sd].extraValues.runtime.scaling.extraHPAConfig"
    why = "no effect here: of a HorizontalPodAutoscaler its behavior is read; remove it"

    assert told == [
        f"{path}.{name}: {why}" for name in ("minReplicas", "…", "behavior.scaleDown.tolerance")
    ]


def test_weights_that_shall_not_be_mounted_are_told() -> None:
    off = {"enabled": False}
    for stored in (off, {"s3": off}):
        [told] = unused(settings({}, extraValues={"runtime": {"persistence": stored}}))
        assert "no effect here: weights are there anyway" in told


def test_the_references_machinery_is_told_in_one_line() -> None:
    agent = {"image": "agent:1", "xray": {"enabled": True}, "resources": {}}
    of_runtime: dict[str, Any] = {"queueAgent": agent, "persistence": {"s3": {}}}
    extra = {"global": {"runtime": "a"}, "runtime": of_runtime}
    traced, machinery = unused(settings({}, extraValues=extra))

    assert traced.startswith("modelsRuntime[sd].extraValues.runtime.queueAgent.xray: no effect")
    assert machinery.startswith("modelsRuntime[sd].extraValues: global, runtime.queueAgent.image: ")


def test_a_switch_that_is_off_asks_for_nothing() -> None:
    extra = {
        "runtime": {"queueAgent": {"xray": {"enabled": False}}, "scaling": {"queueLength": None}}
    }

    assert not unused(settings({}, extraValues=extra))


def test_the_references_own_image_is_told_and_another_is_not() -> None:
    def image(name: str) -> dict[str, Any]:
        return {"runtime": {"inferenceApi": {"image": name}}}

    [told] = unused(settings({}, extraValues=image("public.ecr.aws/bingjiao/sdwebui:1")))

    assert "inferenceApi.image: no effect here: the reference's own image has no Ray" in told
    assert not unused(settings({}, extraValues=image("registry.example.org/mine:1")))


def test_a_chart_value_that_another_setting_wins_over_is_told() -> None:
    extra = scaling(maxReplicaCount=7, minReplicaCount=2)
    [told] = unused(settings({}, extraValues=extra, scaling={"maxReplicas": 3}))

    assert told.endswith(
        ".maxReplicaCount: no effect here: scaling.maxReplicas says otherwise; remove one of them"
    )


@pytest.mark.parametrize(
    ("chart", "own", "told"),
    [
        (
            {"minReplicaCount": 2},
            {"replicas": 3},
            ".minReplicaCount: no effect here: replicas says",
        ),
        ({"enabled": False}, {"replicas": 3}, ".enabled: no effect here: replicas says otherwise"),
        (
            {"enabled": False},
            {"scaling": {"maxReplicas": 3}},
            ".enabled: no effect here: scaling.maxReplicas says otherwise",
        ),
    ],
)
def test_what_may_not_stand_beside_a_chart_value_wins_over_it(
    chart: dict[str, Any], own: dict[str, Any], told: str
) -> None:
    [found] = unused(settings({}, extraValues=scaling(**chart), **own))

    assert told in found


def test_of_a_value_that_is_several_settings_the_one_that_lost_is_named() -> None:
    volume = {"size": "200Gi", "iops": 4000, "snapshotID": "snap-0a"}
    extra = {"karpenter": {"nodeTemplate": {"dataVolume": volume}}}
    [told] = unused(settings({}, extraValues=extra, nodes={"snapshot": "snap-0b"}))

    assert ".dataVolume: no effect here: nodes.snapshot says otherwise" in told


def test_what_is_told_quotes_no_value() -> None:
    extra = {**scaling(extraHPAConfig={"s3cr3t": 1}), "global": {"token": "s3cr3t"}}
    given = settings({"checkpoints": "/s3cr3t"}, extraValues=extra, namespace="s3cr3t")

    assert "s3cr3t" not in "\n".join(unused_on_aws(given))


def test_volumes_that_are_said_in_two_places_hold_what_they_share() -> None:
    template = {"karpenter": {"nodeTemplate": {"osVolume": {"iops": 4000}}}}

    assert not unused(settings({}, extraValues=template, nodes={"osVolume": {"size": 20}}))


def test_keys_of_a_volume_and_of_resources_that_nobody_reads() -> None:
    volume = {"karpenter": {"nodeTemplate": {"osVolume": {"size": "20Gi", "encrypted": False}}}}
    asked = {"resources": {"requests": {"cpu": "2500m"}, "limits": {"cpu": 2}}}
    machinery = (
        "modelsRuntime[sd].extraValues: karpenter.nodeTemplate.osVolume.encrypted: no effect"
    )

    requests, told = unused(
        settings({}, extraValues={**volume, "runtime": {"inferenceApi": asked}})
    )

    assert ".inferenceApi.resources.requests: no effect here: a pod has its share" in requests
    assert told.startswith(machinery)


def test_the_references_own_file_is_taken_with_notes() -> None:
    told = unused_on_aws(Settings.read(args=REFERENCE))
    names = [each.partition(": no effect here: ")[0].partition(".")[2] for each in told]

    assert names == ["namespace", "chartRepository", "chartVersion"]
