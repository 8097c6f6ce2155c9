"""CPUs that the Ray of one machine is told to have."""

from typing import Any

import pytest

from models.settings import Settings
from serve_app.local.ray_cluster import cpus_for


@pytest.mark.parametrize(
    ("more", "cpus"),
    [
        ({}, 102),
        ({"ingest": {"maxReplicas": 9}}, 102),
        ({"ingest": {"maxReplicas": 19}}, 103),
        ({"ingest": {"replicas": 19}, "ingress": {"replicas": 11}}, 104),
    ],
)
def test_every_replica_finds_a_place_on_however_few_cores(more: dict[str, Any], cpus: int) -> None:
    runtime = {"name": "one", "type": "fake", "gpus": 0, "cpus": 50, "replicas": 2}
    least = {"stackName": "a", "checkpoints": "/srv", "modelsRuntime": [runtime]}
    settings = Settings.read(args=least | more)

    assert cpus_for(settings) == cpus
