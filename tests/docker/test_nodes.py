"""Packs of custom nodes, each at its commit; the packs are repositories on this machine."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.docker.context import DOCKER

LINE = re.compile(r"https://[\w./-]+@[0-9a-f]{40}")


def git(folder: Path, *words: str) -> str:
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null"}
    author |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["git", "-C", str(folder), *words], env=author, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def pack(tmp_path: Path) -> tuple[Path, str]:
    """Make a repository, and return it with the commit before its last."""
    folder = tmp_path / "Some-Pack.git"
    folder.mkdir()
    git(folder, "init", "--quiet")
    commits = []
    for version in ("first", "second"):
        (folder / "nodes.py").write_text(version)
        (folder / "requirements.txt").write_text("a-package==1\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", version)
        commits.append(git(folder, "rev-parse", "HEAD"))
    return folder, commits[0]


def fetched(tmp_path: Path, text: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "nodes.txt").write_text(text)
    command = [str(DOCKER / "nodes.sh"), str(tmp_path / "nodes.txt"), str(tmp_path / "packs")]
    return subprocess.run(
        command, env=os.environ | environment, check=False, capture_output=True, text=True
    )


def test_a_pack_is_fetched_at_its_commit(tmp_path: Path, pack: tuple[Path, str]) -> None:
    folder, commit = pack
    done = fetched(tmp_path, f"# packs\n\n  file://{folder}@{commit}  # the first\n")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "packs" / "Some-Pack" / "nodes.py").read_text() == "first"
    assert not (tmp_path / "packs" / "Some-Pack" / ".git").exists()


def test_its_requirements_go_to_the_python_that_is_named(
    tmp_path: Path, pack: tuple[Path, str]
) -> None:
    folder, commit = pack
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    python.chmod(0o755)

    assert fetched(tmp_path, f"file://{folder}@{commit}", NODES_PYTHON=str(python)).returncode == 0

    asked = (tmp_path / "asked").read_text().split()
    assert asked[:3] == ["-m", "pip", "install"]
    assert asked[-1] == str(tmp_path / "packs" / "Some-Pack" / "requirements.txt")


@pytest.mark.parametrize(
    "line",
    [
        "https://github.com/a/b",
        "https://github.com/a/b@main",
        "https://github.com/a/b@" + "a" * 39,
        "https://token@github.com/a/b@" + "a" * 40,
        "http://github.com/a/b@" + "a" * 40,
        "--upload-pack=x@" + "a" * 40,
    ],
)
def test_a_line_that_is_no_pinned_pack_is_refused(tmp_path: Path, line: str) -> None:
    done = fetched(tmp_path, line)

    assert done.returncode != 0
    assert line in done.stderr
    assert not (tmp_path / "packs").exists()


def test_a_commit_that_is_not_there_ends_it(tmp_path: Path, pack: tuple[Path, str]) -> None:
    assert fetched(tmp_path, f"file://{pack[0]}@{'0' * 40}").returncode != 0


def test_the_repositorys_own_list_is_pinned() -> None:
    lines = (DOCKER / "nodes.txt").read_text().splitlines()
    packs = [line for line in lines if line and not line.startswith("#")]

    assert all(LINE.fullmatch(line) for line in packs)
    assert any(LINE.fullmatch(line.strip("# ")) is None for line in lines)
