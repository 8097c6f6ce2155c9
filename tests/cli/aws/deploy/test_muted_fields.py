"""Table in docs/deploy.md of what a change means: each of its settings, held to KubeRay."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cdk.manifests.ray_service import ray_service
from cli.aws.deploy.muted_fields import changes
from models.settings import Settings
from tests.cli.aws.kuberay import reaction
from tests.cli.aws.platform import file_of

PAGE = Path(__file__).parents[4] / "docs" / "deploy.md"
PICTURES: Mapping[str, Any] = {"name": "pictures", "type": "diffusers"}
VALUES: Mapping[str, Any] = {
    "options": {"warm": False},
    "modelFilename": "shapes",
    "replicas": 2,
    "scaling": {"cooldownSeconds": 60},
    "scaling.queueLength": 5,
    "scaling.maxReplicas": 9,
    "tasks": {"leaseSeconds": 100},
    "tasks.drainSeconds": 50,
    "nodes": {"tags": {"a": "b"}},
    "nodes.maxGpus": 9,
    "nodes.taints": [{"key": "team"}],
    "nodes.imageCache": "none",
    "nodes.osVolume": {"size": 20},
    "nodes.labels": {"a": "b"},
    "nodes.requirements": [{"key": "team", "operator": "Exists"}],
    "nodes.instanceTypes": ["g6.4xlarge"],
    "nodes.capacity": ["spot"],
    "nodes.idleSeconds": 100,
    "pod": {"cpu": 3},
    "pod.image": "mine/pictures:1",
    "rayCluster": {"ingestMemory": 3},
    "ingest.replicas": 3,
    "ingest.minReplicas": 2,
    "ingest.maxReplicas": 3,
    "ingest.resources": {"fast": 1},
    "rayCluster.ingestWorkers": 3,
    "rayCluster.headCpu": 1,
    "rayCluster.startMinutes": 8,
    "cluster.bottlerocket": "v1.69.0",
    "images.tag": "9",
    "modelBucketArn": "arn:aws:s3:::another",
    "storage.checkpointCache": 9,
}
"""Other value of each setting that the table names."""
_OF_RUNTIME = {"options", "modelFilename", "replicas", "scaling", "nodes", "pod"}


def settings(path: str = "", value: Any = None, *, more: Any = ()) -> Settings:
    runtime = dict(PICTURES)
    top: dict[str, Any] = {"modelsRuntime": [runtime, *more]}
    if path:
        target = runtime if path.partition(".")[0] in _OF_RUNTIME else top
        *groups, name = path.split(".")
        for group in groups:
            target = target.setdefault(group, {})
        target[name] = value
    return Settings.read(args=file_of("Studio", **top))


def rows() -> Iterator[tuple[str, list[str]]]:
    """Settings of each row, by the beginning of the row's text."""
    table = PAGE.read_text().partition("| change | on the cluster |")[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        change, means = line.strip("| ").split(" | ")
        named = re.findall(r"`([A-Za-z.]+)`", change.partition(", but for")[0])
        yield means, named


def named() -> list[tuple[str, str]]:
    return [(means, path) for means, settings in rows() for path in settings]


@pytest.mark.parametrize(("means", "path"), named(), ids=[path for _, path in named()])
def test_a_setting_means_what_its_row_says(means: str, path: str) -> None:
    assert found(settings(), settings(path, VALUES[path])) == _promised(means)


def test_each_setting_of_the_table_has_another_value_here() -> None:
    assert {path for _, path in named()} == VALUES.keys()


def test_a_runtime_more_at_the_end_is_added_in_place() -> None:
    more = {"name": "more", "type": "diffusers"}

    assert found(settings(), settings(more=[more])) == ("in place", False)


def test_a_runtime_fewer_or_elsewhere_makes_a_new_cluster() -> None:
    more = {"name": "more", "type": "diffusers"}
    both = settings(more=[more])
    turned = Settings.read(args=file_of("Studio", modelsRuntime=[more, dict(PICTURES)]))

    assert found(both, settings()) == ("new cluster", False)
    assert found(both, turned) == ("new cluster", False)


def found(before: Settings, after: Settings) -> tuple[str, bool]:
    """Return KubeRay's reaction, and whether deploy patches something."""
    had, now = (ray_service(each)["spec"]["rayClusterConfig"] for each in (before, after))
    return reaction(had, now, "NewCluster"), bool(changes(had, now))


def _promised(means: str) -> tuple[str, bool]:
    if "new Ray cluster" in means:
        return "new cluster", False
    return "nothing", "`deploy` brings it" in means
