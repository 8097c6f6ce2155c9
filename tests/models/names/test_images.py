from typing import Any

import pytest

from models.errors import SettingsError
from models.names import images
from models.settings import Settings


def settings(**more: Any) -> Settings:
    args = {
        "stackName": "Studio",
        "modelBucketArn": "arn:aws:s3:::weights",
        "aws": {"account": "111122223333", "region": "eu-west-1"},
        "modelsRuntime": [
            {"name": "one", "type": "comfyui"},
            {"name": "two", "type": "sdwebui", "pod": {"image": "mine:1"}},
        ],
    }
    return Settings.read(args=args | more)


def test_an_image_is_in_a_repository_of_its_installation() -> None:
    registry = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"

    assert images.image(settings(), "comfyui") == f"{registry}/studio/atelier-comfyui:0.1.0"
    assert images.repository(settings().names, "comfyui") == "studio/atelier-comfyui"


def test_the_registry_of_china_is_in_its_own_domain() -> None:
    china = {"account": "111122223333", "region": "cn-north-1", "partition": "aws-cn"}

    assert images.registry(settings(aws=china).aws).endswith(".cn-north-1.amazonaws.com.cn")


def test_another_registry_needs_no_repositories_of_ours() -> None:
    other = settings(images={"repository": "ghcr.io/me"})

    assert images.image(other, images.HEAD) == "ghcr.io/me/atelier-head:0.1.0"
    assert not images.kinds(other)


def test_a_runtime_with_an_image_of_its_own_needs_no_repository() -> None:
    mine = settings().models_runtime[1]

    assert images.image_of(settings(), mine) == "mine:1"
    assert images.kinds(settings()) == ["comfyui", "head"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("m7g.large", "arm64"),
        ("c8gn.xlarge", "arm64"),
        ("g5g.xlarge", "arm64"),
        ("g5.xlarge", "amd64"),
        ("g6e.2xlarge", "amd64"),
        ("m7i.large", "amd64"),
    ],
)
def test_graviton_is_known_by_its_name(kind: str, expected: str) -> None:
    assert images.architecture(kind) == expected


def test_each_image_is_built_for_the_nodes_that_run_it() -> None:
    one = {"name": "one", "type": "comfyui", "nodes": {"instanceTypes": ["g5g.xlarge"]}}
    mixed = settings(modelsRuntime=[one, {"name": "two", "type": "diffusers"}])

    kinds = {kind: images.architecture_of(mixed, kind) for kind in images.kinds(mixed)}

    assert kinds == {"head": "arm64", "comfyui": "arm64", "diffusers": "amd64"}


@pytest.mark.parametrize("nodes", [[["g5g.xlarge"], ["g6.xlarge"]], [["g6.xlarge", "g5g.xlarge"]]])
def test_one_image_is_not_built_for_nodes_of_two_architectures(nodes: list[list[str]]) -> None:
    runtimes = [
        {"name": f"r{number}", "type": "comfyui", "nodes": {"instanceTypes": types}}
        for number, types in enumerate(nodes)
    ]

    with pytest.raises(SettingsError, match="comfyui: its nodes are amd64 and arm64"):
        images.architecture_of(settings(modelsRuntime=runtimes), "comfyui")


def test_a_runtime_with_an_image_of_its_own_asks_for_none_to_be_built() -> None:
    own = {"name": "one", "type": "comfyui", "pod": {"image": "mine:1"}}
    arm = {"nodes": {"instanceTypes": ["g5g.xlarge"]}}
    mixed = settings(modelsRuntime=[own | arm, {"name": "two", "type": "comfyui"}])

    assert images.architecture_of(mixed, "comfyui") == "amd64"
