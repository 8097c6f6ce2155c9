"""A plain installation is the client and the command; extras bring the rest, all of it pinned."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    distributions,
    packages_distributions,
)
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]

PLAIN = """
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

ours, installed = set({ours!r}), set({installed!r})


class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in installed and top not in ours:
            return None
        return super().find_spec(name, path, target)


sys.meta_path[:] = [BuiltinImporter, FrozenImporter, Plain]
sys.path.insert(0, {root!r})
{program}
"""
"""Start of a program that finds, of all packages here, only those that a plain one brings."""

ENVIRONMENTS_OWN = frozenset({"setuptools"})
"""Packages that a virtual environment may come with, whatever is installed into it."""

COMMANDS = """
import contextlib, io, json
from cli.__main__ import main

for words in {lines!r}:
    sys.argv = ["atelier", *words]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, err.getvalue()]))
"""
"""Program that runs command lines, and prints how each ended and what it said of errors."""


@cache
def project() -> dict[str, Any]:
    made: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return made


@cache
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def asked(extras: Iterable[str]) -> Iterator[Requirement]:
    """Read the requirements of the project with these extras; an extra may name others."""
    yield from map(Requirement, project()["dependencies"])
    for extra in extras:
        for requirement in map(Requirement, project()["optional-dependencies"][extra]):
            if requirement.name == "atelier":
                yield from asked(requirement.extras)
            else:
                yield requirement


def brought(extras: Iterable[str] = ()) -> set[str]:
    """Return the packages that come with these extras, by what is installed here."""
    found: set[tuple[str, str]] = set()
    left = [(r.name, extra) for r in asked(extras) for extra in ("", *r.extras)]
    while left:
        name, extra = left.pop()
        if (canonicalize_name(name), extra) not in found:
            found.add((canonicalize_name(name), extra))
            left += _required(name, extra)
    return {name for name, _ in found}


def _required(name: str, extra: str) -> Iterator[tuple[str, str]]:
    try:
        lines = distribution(name).requires or ()
    except PackageNotFoundError:  # of another system or Python
        return
    for requirement in map(Requirement, lines):
        if not requirement.marker or requirement.marker.evaluate({"extra": extra}):
            yield from ((requirement.name, one) for one in ("", *requirement.extras))


def plain(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that finds nothing but what a plain installation has."""
    ours, installed = modules()
    text = PLAIN.format(ours=ours, installed=installed, root=str(ROOT), program=program)
    command = [sys.executable, "-I", "-c", text]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@cache
def modules() -> tuple[Sequence[str], Sequence[str]]:
    """Return the top modules of a plain installation's packages, and of all that are here."""
    own = {"atelier", *brought()}
    found = packages_distributions()
    ours = [name for name, of in found.items() if own & {canonicalize_name(one) for one in of}]
    return ours, list(found)


def atelier(*lines: str) -> Sequence[tuple[int, str]]:
    """Run command lines in one process, which takes long to start; how each ended, its errors."""
    done = plain(COMMANDS.format(lines=[line.split() for line in lines]))
    assert not done.returncode, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_plain_installation_brings_neither_ray_nor_torch_nor_an_sdk_of_aws() -> None:
    assert not brought() & {"ray", "torch", "boto3", "botocore", "aiobotocore", "fastapi"}
    assert plain("import ray").returncode


def test_a_plain_installation_has_the_client() -> None:
    done = plain("import atelier; print(atelier.Client, atelier.AsyncClient)")

    assert not done.returncode, done.stderr


def test_a_plain_installation_has_the_command() -> None:
    lines = [
        "version",
        "--help",
        "submit --help",
        "list --help",
        "watch --help",
        "config check --elsewhere config.yaml",
        "cost",
    ]

    for line, (code, errors) in zip(lines, atelier(*lines), strict=True):
        assert not code, f"{line}: {errors}"


def test_a_task_of_a_plain_installation_asks_the_platform() -> None:
    [(code, errors)] = atelier("get first --url http://127.0.0.1:1")

    assert code == 5, errors


def test_a_command_that_lacks_its_extra_names_it() -> None:
    extras = {
        "up": "platform",
        "aws status": "aws",
        "aws --help": "aws",
        "keys new me --role artist": "aws",
        "cost compare --chart cost.png": "charts",
    }
    for extra, (code, errors) in zip(extras.values(), atelier(*extras), strict=True):
        assert code == 2
        assert f"pip install 'atelier[{extra}]'" in " ".join(errors.split())


def test_every_package_that_an_extra_brings_is_pinned_as_it_is_installed() -> None:
    everything = brought(project()["optional-dependencies"])

    assert len(everything) > 100
    for name in everything - ENVIRONMENTS_OWN:
        try:
            installed = distribution(name).version.partition("+")[0]  # torch's build
        except PackageNotFoundError:
            continue
        assert pins()[name] == installed


def test_every_requirement_takes_what_is_pinned() -> None:
    for requirement in asked(project()["optional-dependencies"]):
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_setup_installs_every_extra() -> None:
    chosen = re.search(r"^ALL := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert chosen
    assert brought(chosen[1].split(",")) == brought(project()["optional-dependencies"])


def test_no_pin_is_of_a_package_that_nothing_brings() -> None:
    installed = {canonicalize_name(each.name) for each in distributions()}

    assert not pins().keys() & installed - brought(project()["optional-dependencies"])
