"""Scaling of a runtime's replicas: what is refused, and the bounds that are filled in."""

from typing import Any

import pytest
from hypothesis import given, settings as examples, strategies as st

from models.capacity import gpus_of_pod, pods_at_most, replicas_of_pod
from models.errors import SettingsError
from models.settings import Runtime, Settings

ACCOUNT = {"account": "111122223333"}
HOURS = {"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "minReplicas": 7}


def read(*, aws: bool = True, **of_runtime: Any) -> Settings:
    runtime = {"name": "a", "type": "fake", **of_runtime}
    given = {"stackName": "a", "modelBucketArn": "arn:aws:s3:::weights", "modelsRuntime": [runtime]}
    return Settings.read(args={**given, "aws": ACCOUNT} if aws else given)


def runtime_of(**given: Any) -> Runtime:
    return read(**given).models_runtime[0]


def bounds(**given: Any) -> tuple[int, int]:
    settings = read(**given)
    scaling = settings.scaling_of(settings.models_runtime[0])
    return scaling.min_replicas, scaling.max_replicas


def here(there: int | None, /, **given: Any) -> tuple[int, int]:
    """Return the bounds on a machine with so many GPUs."""
    settings = read(**given).on_one_machine(there)
    scaling = settings.scaling_of(settings.models_runtime[0])
    return scaling.min_replicas, scaling.max_replicas


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (0, 5)),
        ({"replicas": 3}, (3, 3)),
        ({"replicas": 9}, (9, 9)),
        ({"scaling": {"minReplicas": 0}}, (0, 5)),
        ({"scaling": {"minReplicas": 8}}, (8, 8)),
        ({"scaling": {"maxReplicas": 2}}, (0, 2)),
        ({"scaling": {"schedule": [HOURS]}}, (0, 7)),
        ({"scaling": {"schedule": [HOURS], "maxReplicas": 9}}, (0, 9)),
        ({"nodes": {"maxGpus": 7}}, (0, 7)),
        ({"nodes": {"maxGpus": 7}, "gpus": 2}, (0, 3)),
        ({"nodes": {"maxGpus": 2}, "gpus": 0.5}, (0, 4)),
        ({"nodes": {"maxGpus": 1}, "gpus": 0.1}, (0, 10)),
        ({"nodes": {"maxGpus": 5}, "gpus": 1.5}, (0, 2)),
        ({"nodes": {"maxGpus": 3}, "gpus": 0}, (0, 3)),
        ({"nodes": {"maxGpus": 1}, "gpus": 2}, (0, 1)),
        ({"nodes": {"maxGpus": 3}, "scaling": {"maxReplicas": 9}}, (0, 3)),
        ({"nodes": {"maxGpus": 9}, "scaling": {"maxReplicas": 3}}, (0, 3)),
        ({"nodes": {"maxGpus": 3}, "scaling": {"minReplicas": 9}}, (3, 3)),
    ],
)
def test_bounds_on_aws(given: dict[str, Any], found: tuple[int, int]) -> None:
    assert bounds(**given) == found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (1, 1)),
        ({"replicas": 3}, (3, 3)),
        ({"scaling": {"minReplicas": 0}}, (0, 1)),
        ({"scaling": {"minReplicas": 2}}, (2, 2)),
        ({"scaling": {"maxReplicas": 3}}, (1, 3)),
        ({"scaling": {"schedule": [HOURS]}}, (1, 7)),
        ({"scaling": {"maxReplicas": 3}, "nodes": {"maxGpus": 1}}, (1, 3)),
    ],
)
def test_bounds_on_one_machine(given: dict[str, Any], found: tuple[int, int]) -> None:
    assert bounds(aws=False, **given) == found
    assert here(None, **given) == found, "an account's file on a laptop"


@pytest.mark.parametrize(
    ("there", "given", "found"),
    [
        (2, {"scaling": {"maxReplicas": 5}}, (1, 2)),
        (2, {"scaling": {"maxReplicas": 5}, "gpus": 0.5}, (1, 4)),
        (0, {"scaling": {"maxReplicas": 5}, "gpus": 0}, (1, 5)),
        (0, {"scaling": {"maxReplicas": 5, "minReplicas": 0}}, (0, 1)),
        (1, {"scaling": {"maxReplicas": 5, "minReplicas": 2}}, (2, 2)),
        (1, {"replicas": 2}, (2, 2)),
    ],
)
def test_no_more_replicas_start_than_a_machine_has_gpus_for(
    there: int, given: dict[str, Any], found: tuple[int, int]
) -> None:
    assert here(there, **given) == found


def test_the_other_rules_stay_when_bounds_are_filled_in() -> None:
    settings = read(scaling={"queueLength": 3, "schedule": [HOURS]})
    scaling = settings.scaling_of(settings.models_runtime[0])

    assert (scaling.queue_length, scaling.schedule[0].min_replicas) == (3, 7)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"replicas": 2, "scaling": {"minReplicas": 1, "maxReplicas": 3}},
            "replicas is exactly how many there are: remove it, or scaling.minReplicas and",
        ),
        ({"replicas": 2, "scaling": {"maxReplicas": 2}}, "or scaling.maxReplicas"),
        ({"scaling": {"minReplicas": 3, "maxReplicas": 2}}, "scaling: minReplicas must not be"),
        (
            {"scaling": {"schedule": [HOURS], "maxReplicas": 6}},
            "scaling: schedule[].minReplicas must not be more than maxReplicas",
        ),
        ({"replicas": 0}, "replicas: Input should be greater"),
        ({"scaling": {"schedule": [{**HOURS, "start": "8"}]}}, "schedule[0].start: must be a cron"),
        (
            {"scaling": {"schedule": [{**HOURS, "start": "0 8 30 2 *"}]}},
            "schedule[0].start: never comes: no such month has a day of this number",
        ),
        (
            {"scaling": {"schedule": [{**HOURS, "start": "0 8 30 13 *"}]}},
            "schedule[0].start: must be a cron",
        ),
        (
            {"scaling": {"schedule": [{**HOURS, "end": "0 0 18 * * *"}]}},
            "schedule[0].end: must be a cron expression of five fields",
        ),
        (
            {"scaling": {"schedule": [{**HOURS, "end": "0 8 * * *"}]}},
            "schedule[0]: start comes only where end does: these hours hold never",
        ),
        ({"scaling": {"schedule": [{**HOURS, "timezone": "X/Y"}]}}, "timezone: must be the name"),
        ({"scaling": {"scaleUp": {"policies": [{"type": "Nodes"}]}}}, "policies[0].type: "),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**given)

    assert said in str(refused.value)


@examples(deadline=None, derandomize=True)
@given(
    gpus=st.sampled_from([0, 0.1, 0.25, 0.3, 0.5, 1, 1.5, 2, 8]),
    max_gpus=st.none() | st.integers(1, 40),
    least=st.none() | st.integers(0, 20),
    more=st.none() | st.integers(0, 20),
)
def test_pods_are_as_many_as_the_replicas_need_and_the_gpus_allow(
    gpus: float, max_gpus: int | None, least: int | None, more: int | None
) -> None:
    most = None if more is None else max(1, (least or 0) + more)
    scaling = {"minReplicas": least, "maxReplicas": most}
    runtime = runtime_of(gpus=gpus, nodes={"maxGpus": max_gpus}, scaling=scaling)
    low, high = bounds(gpus=gpus, nodes={"maxGpus": max_gpus}, scaling=scaling)
    pods, of_pod = pods_at_most(runtime), replicas_of_pod(runtime)

    assert 0 <= low <= high
    assert most is None or high <= most
    assert max_gpus is None or pods * max(1, gpus_of_pod(runtime)) <= max_gpus
    assert pods * of_pod >= high or pods == 0
    assert (pods - 1) * of_pod < high
