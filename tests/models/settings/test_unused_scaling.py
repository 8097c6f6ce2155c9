"""Settings of replicas that another setting takes the effect from, told by name."""

from collections.abc import Sequence
from typing import Any

import pytest

from models.settings import Settings
from models.settings.unused import unused, unused_anywhere, unused_here, unused_on_aws
from tests.models.settings.test_unused import scaling, settings

HOURS = {"start": "0 8 * * *", "end": "0 18 * * *"}
GPUS = {"karpenter": {"provisioner": {"resourceLimits": {"nvidia.com/gpu": 100}}}}
_ONE = {"type": "Pods", "value": 1, "periodSeconds": 60}


def told(remarks: Sequence[str]) -> list[tuple[str, str]]:
    parts = [remark.partition(": no effect here: ") for remark in remarks]
    return [(path.removeprefix("modelsRuntime[sd]."), why) for path, _, why in parts]


@pytest.mark.parametrize(
    ("given", "path", "why"),
    [
        (
            {"scaling": {"maxReplicas": 9}, "nodes": {"maxGpus": 5}},
            "scaling.maxReplicas",
            "nodes.maxGpus is enough for 5; raise that, or lower this",
        ),
        (
            {"scaling": {"maxReplicas": 3}, "nodes": {"maxGpus": 5}},
            "nodes.maxGpus",
            "scaling.maxReplicas never needs more than 3; remove one of them",
        ),
        (
            {"replicas": 3, "nodes": {"maxGpus": 5}},
            "nodes.maxGpus",
            "replicas never needs more than 3; remove one of them",
        ),
        (
            {"extraValues": {**scaling(maxReplicaCount=20), **GPUS}},
            "extraValues.karpenter.provisioner.resourceLimits",
            (
                "extraValues.runtime.scaling.maxReplicaCount never needs more than 20;"
                " remove one of them"
            ),
        ),
        (
            {"replicas": 2, "scaling": {"queueLength": 3}},
            "scaling.queueLength",
            "replicas says exactly how many run; remove one of them",
        ),
        (
            {"replicas": 2, "extraValues": scaling(cooldownPeriod=60)},
            "extraValues.runtime.scaling.cooldownPeriod",
            "replicas says exactly how many run; remove one of them",
        ),
        (
            {"extraValues": scaling(enabled=False), "scaling": {"targetLatencySeconds": 9}},
            "scaling.targetLatencySeconds",
            "extraValues.runtime.scaling.enabled says exactly how many run; remove one of them",
        ),
        (
            {"scaling": {"minReplicas": 2, "maxReplicas": 2, "scaleOnInFlight": False}},
            "scaling.scaleOnInFlight",
            "at least as many replicas run as at most; raise scaling.maxReplicas, or remove it",
        ),
        (
            {"scaling": {"minReplicas": 2, "schedule": [{**HOURS, "minReplicas": 2}]}},
            "scaling.schedule[0].minReplicas",
            "scaling.minReplicas is no less at any hour; set more, or remove these hours",
        ),
        (
            {"scaling": {"cooldownSeconds": 11}},
            "scaling.cooldownSeconds",
            "less than 12 counts as that; set it, or more",
        ),
        (
            {"extraValues": scaling(cooldownPeriod=1)},
            "extraValues.runtime.scaling.cooldownPeriod",
            "less than 12 counts as that; set it, or more",
        ),
        (
            {"scaling": {"scaleUp": {"selectPolicy": "Min", "policies": [_ONE]}}},
            "scaling.scaleUp.selectPolicy",
            "there are no two policies; add one, or remove it",
        ),
        (
            {"scaling": {"scaleDown": {"selectPolicy": "Disabled", "policies": [_ONE]}}},
            "scaling.scaleDown.policies",
            "selectPolicy is Disabled; remove one of them",
        ),
    ],
)
def test_on_aws(given: dict[str, Any], path: str, why: str) -> None:
    assert told(unused_on_aws(settings({}, **given))) == [(path, why)]
    assert not unused(settings({}, **given))


@pytest.mark.parametrize(
    "given",
    [
        {"scaling": {"maxReplicas": 5}, "nodes": {"maxGpus": 5}},
        {"scaling": {"maxReplicas": 2}, "nodes": {"maxGpus": 4}, "gpus": 1.5},
        {"scaling": {"maxReplicas": 3}, "nodes": {"maxGpus": 2}, "gpus": 0.5},
        {"replicas": 2, "scaling": {"pollingSeconds": 5}},
        {"scaling": {"scaleUp": {"selectPolicy": "Disabled"}}},
        {"scaling": {"cooldownSeconds": 12}},
        {"scaling": {"minReplicas": 2, "schedule": [{**HOURS, "minReplicas": 3}]}},
        {"extraValues": scaling(queueLength=7, pollingInterval=2, minReplicaCount=0)},
    ],
)
def test_nothing_is_told_of_what_has_an_effect(given: dict[str, Any]) -> None:
    assert told(unused_on_aws(settings({}, **given))) == []


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        (
            {"replicas": 2, "scaling": {"schedule": [{**HOURS, "minReplicas": 3}]}},
            ["scaling.schedule"],
        ),
        ({"replicas": 2, "scaling": {"cooldownSeconds": 9}}, ["scaling.cooldownSeconds"]),
        (
            {"scaling": {"minReplicas": 2, "maxReplicas": 2, "queueLength": 3}},
            ["scaling.queueLength"],
        ),
        ({"scaling": {"queueLength": 3}}, []),
        ({"scaling": {"maxReplicas": 9}, "nodes": {"maxGpus": 5}}, []),
    ],
)
def test_whatever_the_machine_what_is_true_of_any_is_told(
    given: dict[str, Any], paths: list[str]
) -> None:
    assert [path for path, _ in told(unused_anywhere(settings({}, **given)))] == paths


def test_a_laptop_is_told_how_many_its_gpus_are_enough_for() -> None:
    given = settings({}, scaling={"maxReplicas": 5, "queueLength": 3})

    assert told(unused_here(given, 2)) == [
        (
            "scaling.maxReplicas",
            "the GPUs here are enough for 2; lower it, or keep it for others",
        )
    ]
    assert told(unused_here(given, None)) == []


_FEW = "the GPUs here are enough for {}; lower it, or keep it for others"
_NO_MORE = "the GPUs are enough for no more than run at any time; have more, or remove it"
_SEVEN = {"schedule": [{**HOURS, "minReplicas": 7}]}


@pytest.mark.parametrize(
    ("given", "gpus", "remarks"),
    [
        ({"schedule": [{**HOURS, "minReplicas": 2}], "maxReplicas": 4}, 2, []),
        (_SEVEN, 2, [("scaling.schedule[0].minReplicas", _FEW.format(2))]),
        (_SEVEN, 1, [("scaling.schedule", _NO_MORE)]),
        (_SEVEN, 7, []),
        (_SEVEN, None, []),
        ({"queueLength": 3, "maxReplicas": 4}, 1, [("scaling.queueLength", _NO_MORE)]),
    ],
)
def test_a_laptop_is_told_what_its_gpus_take_the_effect_from(
    given: dict[str, Any], gpus: int | None, remarks: list[tuple[str, str]]
) -> None:
    found = told(unused_here(settings({}, scaling=given), gpus))

    assert [remark for remark in found if remark[0] != "scaling.maxReplicas"] == remarks


def test_a_laptop_with_one_replica_is_told_that_nothing_scales_it() -> None:
    assert told(unused_here(settings({}, scaling={"queueLength": 3}), 1)) == [
        (
            "scaling.queueLength",
            "at least as many replicas run as at most; set scaling.maxReplicas, or remove it",
        )
    ]


_FROM_ZERO = {"scaling": {"minReplicas": 0}}


@pytest.mark.parametrize(
    ("gpus", "first", "second", "told_of"),
    [
        (1, {}, _FROM_ZERO, ["b"]),
        (1, {"replicas": 1}, _FROM_ZERO, ["b"]),
        (3, {"replicas": 2}, _FROM_ZERO | {"gpus": 2}, ["b"]),
        (1, {"gpus": 0.5}, _FROM_ZERO | {"gpus": 0.6}, ["b"]),
        (1, {"gpus": 0.4}, _FROM_ZERO | {"gpus": 0.6}, []),
        (1, {"gpus": 0}, _FROM_ZERO, []),
        (1, _FROM_ZERO, _FROM_ZERO, []),
        (2, {}, _FROM_ZERO, []),
        (2, {}, {}, []),
        (None, {}, _FROM_ZERO, []),
    ],
)
def test_a_runtime_that_is_left_no_gpu_by_those_which_others_keep_is_named(
    gpus: int | None, first: dict[str, Any], second: dict[str, Any], told_of: list[str]
) -> None:
    runtimes = [{"name": "a", "type": "fake"} | first, {"name": "b", "type": "fake"} | second]
    given = Settings.read(args={"stackName": "a", "checkpoints": ".", "modelsRuntime": runtimes})
    why = (
        "none of its replicas ever starts, since the GPUs here are kept by a;"
        " set scaling.minReplicas: 0 there"
    ) + (" in place of replicas" if "replicas" in first else "")

    assert told(unused_here(given, gpus)) == [(f"modelsRuntime[{name}]", why) for name in told_of]
