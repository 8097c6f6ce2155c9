"""Refusal of more replicas than the GPUs that a runtime may have on AWS allow."""

from typing import Any

import pytest

from models.settings import Settings
from models.settings.checks import check
from tests.models.settings.test_unused import scaling

ON_AWS = {"aws": {"account": "111122223333"}}
HOURS = {"start": "0 8 * * 1-5", "end": "0 18 * * 1-5"}
THREE = {"maxGpus": 3}


def wrong(*, place: dict[str, Any] = ON_AWS, **of_runtime: Any) -> tuple[str, ...]:
    runtime = {"name": "a", "type": "fake", **of_runtime}
    given = {"stackName": "a", "modelBucketArn": "arn:aws:s3:::weights", "modelsRuntime": [runtime]}
    return check(Settings.read(args=given | place)).wrong


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"scaling": {"minReplicas": 6}, "nodes": THREE},
            "scaling.minReplicas: nodes.maxGpus is enough for 3; raise that, or lower this",
        ),
        (
            {"scaling": {"schedule": [HOURS | {"minReplicas": 6}]}, "nodes": THREE},
            "scaling.schedule[0].minReplicas: nodes.maxGpus is enough for 3; raise that,",
        ),
        (
            {"replicas": 6, "nodes": THREE},
            "replicas: nodes.maxGpus is enough for 3; raise that, or lower this",
        ),
        (
            {"replicas": 2, "gpus": 2, "nodes": THREE},
            "replicas: nodes.maxGpus is enough for 1; raise that, or lower this",
        ),
        (
            {"gpus": 4, "nodes": THREE},
            "nodes.maxGpus: less than the 4 of one replica; raise it, or lower gpus",
        ),
        (
            {"extraValues": scaling(minReplicaCount=6), "nodes": THREE},
            "extraValues.runtime.scaling.minReplicaCount: nodes.maxGpus is enough for 3; raise",
        ),
    ],
)
def test_what_the_gpus_never_allow_is_refused_with_a_remedy(
    given: dict[str, Any], told: str
) -> None:
    (fault,) = wrong(**given)

    assert fault.startswith(f"modelsRuntime[a].{told}")


@pytest.mark.parametrize(
    "given",
    [
        {"replicas": 3, "nodes": THREE},
        {"replicas": 6, "gpus": 0.5, "nodes": THREE},
        {"scaling": {"maxReplicas": 6}, "nodes": THREE},
        {"scaling": {"minReplicas": 6}},
        {"gpus": 3, "nodes": THREE},
    ],
)
def test_what_they_allow_is_right(given: dict[str, Any]) -> None:
    assert not wrong(**given)


def test_nothing_of_it_is_refused_where_no_nodes_come() -> None:
    assert not wrong(place={}, replicas=6, nodes=THREE)
