"""Layer that images get, installed for real in an empty folder."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.context import DOCKER, ROOT, copied

BIN = Path(sys.prefix) / "bin"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder with what a build sees, which it may not write to."""
    folder = copied(tmp_path_factory.mktemp("source"))
    before = set(folder.rglob("*"))
    yield folder
    assert set(folder.rglob("*")) == before


@pytest.fixture(scope="module")
def layer(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layer on this Python; an image fetches one of its own, which no test does."""
    folder = tmp_path_factory.mktemp("layer")
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHON": sys.executable}
    command = [str(source / "docker" / "install.sh"), str(folder), str(source)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return folder


def said(*command: str | Path) -> str:
    """Return what a command prints, with nothing of this environment."""
    done = subprocess.run(
        command, cwd="/", env={"PATH": os.defpath}, capture_output=True, text=True, check=True
    )
    return done.stdout


def lines(text: str) -> set[str]:
    """Return packages and their versions, each name written in one way."""
    return {line.lower().replace("_", "-") for line in text.splitlines()}


def test_its_commands_work_from_anywhere(layer: Path) -> None:
    assert "2.60.0" in said(layer / "bin" / "ray", "--version")
    assert "Usage: atelier" in said(layer / "bin" / "atelier", "--help")
    assert "run" in said(layer / "bin" / "serve", "--help")


def test_it_has_what_is_pinned_and_no_other_version(layer: Path) -> None:
    pinned = lines((ROOT / "constraints.txt").read_text())
    installed = lines(said(BIN / "uv", "pip", "freeze", "--python", layer / "env"))

    assert "ray==2.60.0" in installed
    assert {line.split()[0] for line in installed - pinned} == {"atelier"}


def test_every_runtime_with_a_backend_can_be_imported(layer: Path) -> None:
    """The HTTP API asks each for its kinds; only ``diffusers`` needs more than the layer has."""
    program = (
        "from deployments.runtimes import adapter_class, runtime_types\n"
        "names = [n for n in runtime_types() if n != 'diffusers']\n"
        "print(*(adapter_class(name).__name__ for name in names))"
    )
    assert "FakeAdapter" in said(layer / "env" / "bin" / "python", "-c", program)


def test_it_does_not_take_the_place_of_an_images_python(layer: Path) -> None:
    assert {path.name for path in (layer / "bin").iterdir()} == {"atelier", "ray", "serve"}


def test_anyone_may_read_it_and_nobody_else_may_write_it(layer: Path) -> None:
    for path in layer.rglob("*"):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        assert mode & wanted == wanted, path
        assert not mode & (stat.S_IWGRP | stat.S_IWOTH), path


def test_it_is_there_once_or_not_at_all(layer: Path, source: Path) -> None:
    """A second install into the same folder is refused, not mixed with the first."""
    again = subprocess.run(
        [str(source / "docker" / "install.sh"), str(layer), str(source)],
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHON": sys.executable},
        capture_output=True,
        check=False,
    )

    assert again.returncode != 0
    assert (DOCKER / "install.sh").stat().st_mode & stat.S_IXUSR
