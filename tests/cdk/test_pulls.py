"""Registries that a running cluster pulls images from: none counts anonymous pulls."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.cdk import graph
from tests.cdk.conftest import Synthesized

REGISTRIES = {"public.ecr.aws", "quay.io"}
"""Registries without a count by address; nodes of a private network share one address."""


def images(whole: Synthesized) -> Iterator[str]:
    """Return the images that objects and charts name; those named by default are missing."""
    for _, each in graph.applied(whole):
        yield from named(each, "image")
    for _, chart in graph.charts(whole).values():
        yield from named(chart["Values"], "repository")


def named(part: Any, key: str) -> Iterator[str]:
    """Yield texts under a key, at any depth."""
    match part:
        case Mapping():
            for name, inner in part.items():
                if name == key and isinstance(inner, str):
                    yield inner
                yield from named(inner, key)
        case list():
            for inner in part:
                yield from named(inner, key)


def registry(image: str) -> str:
    """Return the host of an image's registry; without one it is Docker Hub's."""
    host, slash, _ = image.partition("/")
    return host if slash and {".", ":"} & {*host} else "docker.io"


def test_no_image_comes_from_docker_hub(whole: Synthesized) -> None:
    found = {registry(image) for image in images(whole)}
    own = {host for host in found if ".dkr.ecr." in host}

    assert own
    assert found - own == REGISTRIES
