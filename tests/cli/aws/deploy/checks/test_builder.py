"""Checks of this machine; `docker` is a small program of the test's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli.aws.deploy.checks.builder import images
from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.images import Images
from cli.aws.sdk import Aws
from cli.aws.tools import Tools
from tests.cli.aws.deploy.checks.conftest import runtime, wanted

BOTH = "echo 'Platforms: linux/amd64*, linux/amd64/v2, linux/arm64, linux/386'"
Look = Callable[[str, str], Finding]


@pytest.fixture
def look(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Check with a Docker that answers its `info` and `buildx` like this."""

    def found(info: str, buildx: str) -> Finding:
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/sh\ncase "$1" in info) {info};; buildx) {buildx};; esac\n')
        program.chmod(0o755)
        monkeypatch.setenv("ATELIER_TOOLS", str(tmp_path))
        (one,) = images(Images(aws, wanted(modelsRuntime=[runtime()]), Tools(tmp_path)))
        return one

    return found


def test_docker_that_builds_for_all_nodes_is_enough(look: Look) -> None:
    found = look("exit 0", BOTH)

    assert (found.state, found.text) == ("note", "deploy builds diffusers, head")


@pytest.mark.parametrize(
    ("info", "buildx", "text", "remedy"),
    [
        ("exit 1", BOTH, "daemon does not answer", "docker info"),
        ("exit 0", "exit 1", "no buildx", "docker-buildx"),
        (
            "exit 0",
            "echo Platforms: linux/amd64, linux/386",
            "nothing for linux/arm64",
            "tonistiigi/binfmt --install arm64`",
        ),
    ],
)
def test_docker_that_cannot_build_an_image_is_told_before_anything_is_made(
    look: Look, info: str, buildx: str, text: str, remedy: str
) -> None:
    """The head's nodes are Graviton, GPU nodes are not."""
    found = look(info, buildx)

    assert found.state == "missing"
    assert text in found.text
    assert remedy in found.remedy
