"""Configurations of the reference system, which mean the same here or say what has no place."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings as examples, strategies as st

from models.errors import SettingsError
from models.settings import Runtime, Settings
from models.settings.nodes import Nodes
from models.settings.reference_table import KNOWN
from models.settings.scaling import Scaling
from models.settings.unused import unused_on_aws
from tests.models.settings.test_settings import REFERENCE


def settings_with(extra: dict[str, Any] | None, **own: Any) -> Settings:
    runtime = {"name": "a", "type": "sdwebui", "extraValues": extra, **own}
    return Settings.read(args=REFERENCE | {"modelsRuntime": [runtime]})


def read(extra: dict[str, Any] | None, **own: Any) -> Runtime:
    return settings_with(extra, **own).models_runtime[0]


def provisioner(**given: Any) -> dict[str, Any]:
    return {"karpenter": {"provisioner": given}}


def test_what_nodes_a_runtime_gets() -> None:
    nodes = read(
        provisioner(
            labels={"team": "a"},
            annotations={"note": "b"},
            capacityType={"onDemand": False},
            instanceType=["g5.xlarge"],
            extraRequirements=[{"key": "k", "operator": "In", "values": ["v"]}],
            extraTaints=[{"key": "t", "effect": "NoSchedule"}],
            resourceLimits={"nvidia.com/gpu": 100},
            consolidation=True,
            disruption={"consolidateAfter": "30s", "expireAfter": "Never"},
        )
    ).nodes

    assert (nodes.labels, nodes.annotations) == ({"team": "a"}, {"note": "b"})
    assert nodes.capacity == ("spot",)
    assert nodes.instance_types == ("g5.xlarge",)
    assert (nodes.requirements[0].key, nodes.taints[0].key) == ("k", "t")
    assert nodes.max_gpus == 100
    assert nodes.consolidate
    assert (nodes.consolidate_after, nodes.expire_after) == ("30s", "Never")


def test_what_the_nodes_are_made_from() -> None:
    template = {
        "amiFamily": "Bottlerocket",
        "instanceStorePolicy": "RAID0",
        "iamRole": "generated",
        "tags": {"cost": "c"},
        "osVolume": {"size": "20Gi", "type": "gp3"},
        "dataVolume": {"size": "150Gi", "iops": 4000, "throughput": 1000, "snapshotID": "snap-0a"},
        "userData": "[settings]",
    }
    nodes = read({"karpenter": {"nodeTemplate": template}}).nodes

    assert nodes.tags == {"cost": "c"}
    assert nodes.os_volume.size == 20
    assert (nodes.data_volume.size, nodes.data_volume.iops) == (150, 4000)
    assert (nodes.image_cache, nodes.snapshot) == ("ebs-snapshot", "snap-0a")
    assert nodes.user_data == "[settings]"


def test_what_a_runtimes_pods_are() -> None:
    runtime = read(
        {
            "runtime": {
                "labels": {"a": "b"},
                "annotations": {"c": "d"},
                "scaling": {"cooldownPeriod": 120, "minReplicaCount": 2, "maxReplicaCount": 7},
                "inferenceApi": {
                    "image": "registry.example.org/mine:1",
                    "modelFilename": "x.safetensors",
                    "extraEnv": [{"name": "E", "value": 1}],
                    "imagePullPolicy": "Always",
                    "resources": {
                        "limits": {"nvidia.com/gpu": 2, "cpu": "2500m", "memory": "6144Mi"},
                        "requests": {"cpu": "100m"},
                    },
                },
                "queueAgent": {"dynamicModel": True, "xray": {"enabled": False}},
                "persistence": {"existingClaim": "weights", "size": "2Ti"},
            }
        }
    )

    assert (runtime.pod.labels, runtime.pod.annotations) == ({"a": "b"}, {"c": "d"})
    scaling = runtime.scaling
    assert (scaling.cooldown_seconds, scaling.min_replicas, scaling.max_replicas) == (120, 2, 7)
    assert runtime.pod.image == "registry.example.org/mine:1"
    assert (runtime.model_filename, runtime.dynamic_model) == ("x.safetensors", True)
    assert runtime.pod.env == {"E": "1"}
    assert runtime.pod.image_pull_policy == "Always"
    assert (runtime.gpus, runtime.pod.cpu, runtime.pod.memory) == (2, 3, 6)
    assert runtime.pod.existing_claim == "weights"


def test_the_references_own_images_are_replaced_by_ours() -> None:
    image = "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest"

    assert read({"runtime": {"inferenceApi": {"image": image}}}).pod.image is None


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({"repository": "registry.example.org/mine", "tag": "latest"}, "mine:latest"),
        ({"repository": "registry.example.org/mine", "tag": 1.5}, "mine:1.5"),
        ({"repository": "registry.example.org/mine"}, "mine"),
        ({"repository": "public.ecr.aws/bingjiao/sd-on-eks/sdwebui", "tag": "latest"}, None),
        ({"tag": "latest"}, None),
        ({}, None),
        ("", None),
        (None, None),
    ],
)
def test_an_image_may_be_named_by_its_parts(given: Any, image: str | None) -> None:
    found = read({"runtime": {"inferenceApi": {"image": given}}}).pod.image

    assert found == (image and f"registry.example.org/{image}")


def test_a_volume_of_which_only_a_snapshot_is_said_has_the_size_that_it_has_anyway() -> None:
    """The reference's guide sets up its image cache by a snapshot alone."""
    template = {"amiFamily": "Bottlerocket", "dataVolume": {"snapshotID": "snap-0123456789"}}
    nodes = read({"karpenter": {"nodeTemplate": template}}).nodes

    assert (nodes.image_cache, nodes.snapshot) == ("ebs-snapshot", "snap-0123456789")
    assert nodes.data_volume == Nodes().data_volume


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"iops": "4000"}, (10, 4000)),
        ({"size": "20G"}, (19, 3000)),
        ({"size": "1Ti"}, (1024, 3000)),
    ],
)
def test_sizes_of_a_volume(given: Any, said: tuple[int, int]) -> None:
    volume = read({"karpenter": {"nodeTemplate": {"osVolume": given}}}).nodes.os_volume

    assert (volume.size, volume.iops) == said


def test_a_snapshot_of_the_system_is_none_of_images() -> None:
    nodes = read({"karpenter": {"nodeTemplate": {"osVolume": {"snapshotID": "snap-0a"}}}}).nodes

    assert (nodes.image_cache, nodes.snapshot) == ("soci", None)


@pytest.mark.parametrize(
    "extra",
    [
        None,
        {"karpenter": None},
        {"runtime": {"inferenceApi": {"extraEnv": None, "resources": None}, "labels": None}},
        {"runtime": {"scaling": {"minReplicaCount": None}}},
        {"karpenter": {"nodeTemplate": {"dataVolume": {}, "osVolume": {"size": ""}}}},
    ],
)
def test_a_key_with_nothing_after_it_says_nothing(extra: Any) -> None:
    nothing = read({}).model_dump(exclude={"extra_values"})

    assert read(extra).model_dump(exclude={"extra_values"}) == nothing


CHART: dict[str, Any] = {
    "global": {"awsRegion": "us-west-2", "stackName": "", "runtime": ""},
    "karpenter": {
        "provisioner": {
            "labels": {},
            "capacityType": {"onDemand": True, "spot": True},
            "instanceType": ["g5.xlarge", "g5.2xlarge"],
            "extraRequirements": [],
            "extraTaints": [],
            "resourceLimits": {"nvidia.com/gpu": 100},
            "consolidation": True,
            "disruption": {"consolidateAfter": "30s", "expireAfter": "Never"},
        },
        "nodeTemplate": {
            "iamRole": "",
            "securityGroupSelector": {},
            "subnetSelector": {},
            "tags": {},
            "amiFamily": "Bottlerocket",
            "instanceStorePolicy": "RAID0",
            "osVolume": {"size": "10Gi", "type": "gp3", "iops": 3000, "throughput": 125},
            "dataVolume": {},
            "userData": "",
        },
    },
    "runtime": {
        "type": "sdwebui",
        "labels": {},
        "annotations": {},
        "serviceAccountName": "runtime-sa",
        "replicas": 1,
        "scaling": {
            "enabled": True,
            "queueLength": 10,
            "cooldownPeriod": 60,
            "maxReplicaCount": 20,
            "minReplicaCount": 0,
            "pollingInterval": 1,
            "scaleOnInFlight": False,
            "extraHPAConfig": {},
        },
        "inferenceApi": {
            "image": "public.ecr.aws/bingjiao/sd-on-eks/sdwebui:latest",
            "modelFilename": "",
            "modelMountPath": "/opt/ml/code/models",
            "commandArguments": "",
            "extraEnv": {},
            "imagePullPolicy": "IfNotPresent",
            "resources": {
                "limits": {"nvidia.com/gpu": "1"},
                "requests": {"nvidia.com/gpu": "1", "cpu": "2500m", "memory": "6Gi"},
            },
        },
        "queueAgent": {
            "image": "public.ecr.aws/bingjiao/sd-on-eks/queue-agent:latest",
            "imagePullPolicy": "IfNotPresent",
            "extraEnv": {},
            "dynamicModel": False,
            "s3Bucket": "",
            "snsTopicArn": "",
            "sqsQueueUrl": "",
            "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
            "xray": {"enabled": True, "daemon": {"image": "xray:3.3.14"}},
            "XRay": {"enabled": True},
        },
        "persistence": {
            "enabled": True,
            "existingClaim": "",
            "existingVolume": "",
            "labels": {},
            "annotations": {},
            "storageClass": "-",
            "size": "2Ti",
            "accessModes": ["ReadWriteMany"],
            "s3": {"enabled": True, "modelBucket": ""},
        },
    },
}
"""Values with the keys and defaults of the reference's own charts, of all its versions."""


def test_no_value_of_the_references_own_chart_is_refused() -> None:
    runtime = read(CHART)

    assert (runtime.scaling.min_replicas, runtime.scaling.max_replicas) == (0, 20)
    assert (runtime.scaling.cooldown_seconds, runtime.nodes.max_gpus) == (60, 100)
    assert not runtime.scaling.scale_on_in_flight


def test_scaling_in_the_place_where_a_script_of_the_reference_put_it_is_told() -> None:
    given = settings_with({"karpenter": {"scaling": {"queueLength": 10}}})

    assert any(
        "karpenter.scaling: no effect here: the chart has it in runtime.scaling; move it" in told
        for told in unused_on_aws(given)
    )


def test_what_a_runtime_says_itself_wins() -> None:
    extra = provisioner(instanceType=["g5.xlarge"], resourceLimits={"nvidia.com/gpu": 100})
    runtime = read(extra, nodes={"maxGpus": 3})

    assert runtime.nodes.max_gpus == 3
    assert runtime.nodes.instance_types == ("g5.xlarge",)


def scaled(**given: Any) -> dict[str, Any]:
    return {"runtime": {"scaling": given}}


def test_how_replicas_follow_the_queue() -> None:
    runtime = read(
        scaled(
            enabled=True,
            minReplicaCount=0,
            maxReplicaCount=20,
            queueLength=7,
            cooldownPeriod=60,
            pollingInterval=2,
            scaleOnInFlight=False,
        )
    )
    scaling = runtime.scaling

    assert runtime.replicas is None
    assert (scaling.min_replicas, scaling.max_replicas, scaling.queue_length) == (0, 20, 7)
    assert (scaling.cooldown_seconds, scaling.polling_seconds) == (60, 2)
    assert not scaling.scale_on_in_flight
    assert runtime.nodes == Nodes()


@pytest.mark.parametrize("nested", [False, True])
def test_rates_of_the_references_autoscaler(nested: bool) -> None:
    few = [{"type": "Percent", "value": 10, "periodSeconds": 60}]
    behavior = {
        "scaleUp": {"selectPolicy": "Min", "policies": few},
        "scaleDown": {"stabilizationWindowSeconds": 300, "policies": None},
    }
    config = {"behavior": behavior} if nested else behavior
    scaling = read(scaled(extraHPAConfig=config)).scaling

    assert scaling.scale_up.select_policy == "Min"
    assert [policy.model_dump(by_alias=True) for policy in scaling.scale_up.policies] == few
    assert scaling.scale_down.stabilization_window_seconds == 300


@pytest.mark.parametrize(
    ("replicas", "count"), [({}, 1), ({"replicas": 3}, 3), ({"replicas": None}, 1)]
)
def test_scaling_that_is_switched_off_leaves_replicas_as_they_are(
    replicas: dict[str, Any], count: int
) -> None:
    off = {"enabled": False, "minReplicaCount": 0, "maxReplicaCount": 5, "queueLength": 7}
    runtime = read({"runtime": {"scaling": off, **replicas}})

    assert runtime.replicas == count
    assert runtime.scaling == Scaling()


def test_replicas_of_a_chart_that_scales_are_none() -> None:
    assert read({"runtime": {"replicas": 3, "scaling": {"enabled": True}}}).replicas is None


def test_a_runtimes_own_bounds_win_over_the_charts() -> None:
    bounds = scaled(minReplicaCount=0, maxReplicaCount=5, queueLength=7)
    fixed = read(bounds, replicas=2)
    least = read(scaled(enabled=False), scaling={"minReplicas": 1})
    more = read(bounds, scaling={"maxReplicas": 9})

    assert (fixed.replicas, fixed.scaling.min_replicas, fixed.scaling.queue_length) == (2, None, 7)
    assert (least.replicas, least.scaling.min_replicas) == (None, 1)
    assert (more.scaling.min_replicas, more.scaling.max_replicas) == (0, 9)


def test_a_charts_bound_that_contradicts_the_runtimes_own_is_named() -> None:
    with pytest.raises(SettingsError, match=r"extraValues\.runtime\.scaling\.minReplicaCount: "):
        read(scaled(minReplicaCount=6), scaling={"maxReplicas": 5})


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            provisioner(instanceTypes=["g5.xlarge"]),
            "instanceTypes: unknown value; did you mean karpenter.provisioner.instanceType?",
        ),
        ({"replicas": 3}, "extraValues.replicas: unknown value"),
        ({"runtime": 3}, "extraValues.runtime: unknown value"),
        (
            {"karpenter": {"nodeTemplate": {"amiFamily": "AL2"}}},
            "nodeTemplate.amiFamily: is not understood: only Bottlerocket",
        ),
        (
            {"runtime": {"inferenceApi": {"commandArguments": "--xformers"}}},
            "commandArguments: has no place here; they go into the runtime's options",
        ),
        (
            {"runtime": {"persistence": {"existingVolume": "pv"}}},
            "existingVolume: has no place here; make a claim of it, and name that: pod.",
        ),
        (
            {"karpenter": {"nodeTemplate": {"osVolume": {"size": "10 GB"}}}},
            "must be a size such as 6Gi",
        ),
        (provisioner(resourceLimits={"cpu": 1}), "only nvidia.com/gpu bounds what there is"),
        (provisioner(capacityType={"Spot": True}), "spot and onDemand are known, and no others"),
        (
            {"runtime": {"inferenceApi": {"image": {"name": "mine"}}}},
            "inferenceApi.image: is not understood: repository and tag are known",
        ),
        (
            {"karpenter": {"nodeTemplate": {"dataVolume": {"size": "5Gi"}}}},
            "nodeTemplate.dataVolume: nodes.dataVolume.size: Input should be greater",
        ),
        (provisioner(instanceType="g5.xlarge"), "provisioner.instanceType: nodes.instanceTypes: "),
        (scaled(queueLength=0), "runtime.scaling.queueLength: scaling.queueLength: Input should"),
        (scaled(enabled="no"), "runtime.scaling.enabled: is not understood: must be true or false"),
        (
            scaled(minReplicaCount=6, maxReplicaCount=5),
            "runtime.scaling.minReplicaCount: scaling: minReplicas must not be more than maxRep",
        ),
        (
            {"runtime": {"scaling": {"enabled": False}, "replicas": 0}},
            "runtime.replicas: replicas: Input should be greater",
        ),
        (scaled(extraHPAConfig="slow"), "runtime.scaling.extraHPAConfig: is not understood"),
        (
            scaled(extraHPAConfig={"scaleUp": {"policies": [{"type": "Nodes"}]}}),
            "runtime.scaling.extraHPAConfig: scaling.scaleUp.policies[0].",
        ),
    ],
)  # fmt: skip
def test_what_has_no_place_is_named(extra: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(extra)

    assert str(refused.value).startswith("modelsRuntime[0]: extraValues.")
    assert said in str(refused.value)


NAMES = ("scaleUp", "scaleDown", "policies", "behavior", "enabled", "selectPolicy", "metrics")
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "Max", "10", "no"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=6,
)
charts = st.fixed_dictionaries(
    {},
    optional={
        "replicas": anything,
        "scaling": anything
        | st.dictionaries(
            st.sampled_from([path.rpartition(".")[2] for path in KNOWN if "scaling." in path]),
            anything,
        ),
        "persistence": st.dictionaries(st.sampled_from(["enabled", "s3"]), anything),
    },
)


@examples(deadline=None, derandomize=True, max_examples=300)
@given(runtime=charts, replicas=st.none() | st.integers(1, 3), most=st.none() | st.integers(1, 3))
def test_any_scaling_of_a_chart_is_taken_or_refused_by_its_path(
    runtime: dict[str, Any], replicas: int | None, most: int | None
) -> None:
    own = {"replicas": replicas} if replicas else {"scaling": {"maxReplicas": most}}

    assert all(
        ": no effect " in said or said.startswith("modelsRuntime[0]: extraValues.runtime.")
        for said in notes_or_refusal({"runtime": runtime}, **own)
    )


def notes_or_refusal(extra: dict[str, Any], **own: Any) -> Sequence[str]:
    try:
        return unused_on_aws(settings_with(extra, **own))
    except SettingsError as exc:
        return [str(exc)]
