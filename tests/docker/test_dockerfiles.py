"""Text of the Dockerfiles; none is built here, for that takes a Docker engine."""

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from serve_app.local.ray_cluster import ENVIRONMENT
from tests.docker.context import DOCKER, DOCKERFILES, ROOT, allowed
from tests.docker.dockerfile import instructions

BIN = Path(sys.prefix) / "bin"
SECRET = re.compile(r"(?i)(key|token|secret|password|credential)")


def said(path: Path, name: str) -> list[str]:
    return [one.words for one in instructions(path.read_text()) if one.keyword == name]


def pinned(package: str) -> str:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{package}=="))


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.stem)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_is_one_for_the_head_and_one_for_any_runtime() -> None:
    assert {path.stem for path in DOCKERFILES} == {"head", "runtime"}


def test_it_is_clean_by_hadolint(dockerfile: Path) -> None:
    done = subprocess.run(
        [BIN / "hadolint", "--no-color", dockerfile], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", sorted(DOCKER.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_clean_by_shellcheck(script: Path) -> None:
    done = subprocess.run([BIN / "shellcheck", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_ends_as_a_user_by_number_who_is_not_root(dockerfile: Path) -> None:
    user = said(dockerfile, "USER")[-1]
    default = dict(words.split("=", 1) for words in said(dockerfile, "ARG") if "=" in words)

    assert int(default.get(user.strip("${}"), user)) > 0


def test_it_says_how_it_is(dockerfile: Path) -> None:
    (check,) = said(dockerfile, "HEALTHCHECK")

    assert "52365/api/healthz" in check


def test_what_it_stands_on_has_a_version(dockerfile: Path) -> None:
    for words in said(dockerfile, "FROM"):
        image = words.split()[0]
        given = image in {"${RUNTIME_IMAGE}", "${TARGETARCH}"}
        assert given or re.search(r":\d+\.\d+\.\d+", image), image


def test_no_secret_is_asked_for_or_kept(dockerfile: Path) -> None:
    for name in ("ARG", "ENV", "COPY", "ADD"):
        assert not [words for words in said(dockerfile, name) if SECRET.search(words)]


def test_a_build_sees_what_it_needs_and_no_more() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert not packages & {"tests", "samples", "bench"} & set(allowed())
    for needed in ("docker/install.sh", "docker/nodes.sh", "docker/nodes.txt", "constraints.txt"):
        assert any(fnmatch(needed, pattern) for pattern in allowed()), needed
    for kept_out in (".git", ".env", "config.yaml", "samples/models", "docker/README.md"):
        assert not any(fnmatch(kept_out, pattern) for pattern in allowed()), kept_out


def test_head_and_runtime_have_the_ray_and_the_python_that_are_tested() -> None:
    x86, arm, _ = said(DOCKER / "head.Dockerfile", "FROM")
    script = (DOCKER / "install.sh").read_text()
    python = re.search(r"^version=(\d+)\.(\d+)\.\d+$", script, re.MULTILINE)

    assert python
    image = f"rayproject/ray:{pinned('ray')}-py{python[1]}{python[2]}"
    assert (x86, arm) == (f"{image} AS amd64", f"{image}-aarch64 AS arm64")
    assert f'>={python[1]}.{python[2]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_head_is_the_ray_that_a_laptop_has_but_for_the_loopback() -> None:
    given = said(DOCKER / "head.Dockerfile", "ENV")[0].split()

    for name, value in ENVIRONMENT.items():
        assert f"{name}={value}" in given or name == "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def test_the_image_that_brings_uv_is_the_version_that_is_tested() -> None:
    done = subprocess.run([BIN / "uv", "--version"], check=True, capture_output=True, text=True)
    version = done.stdout.split()[1]

    assert f"ghcr.io/astral-sh/uv:{version} AS uv" in said(DOCKER / "runtime.Dockerfile", "FROM")
