"""Command lines, each read by the parser of the program that it calls; nothing is run."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from cli.main import app
from models.errors import SettingsError
from models.settings import Settings
from tests.docs.pages import ROOT

_OPERATORS = set(";|&()<>")
_FOREIGN = {"aws", "cat", "cd", "cdk", "crane", "curl", "docker", "echo", "export", "git"}
_FOREIGN |= {"helm", "hf", "jq", "kubectl", "mkdir", "openssl", "pip", "printf", "skopeo", "source"}
_FOREIGN |= {".", "cp", "mktemp"}
"""Programs of others: their lines are split into words, and the files that they name are there."""

_OPENING = {"do", "while"}
"""Words of bash that a command follows."""
_OF_SHELL = {">", "[", "break", "done", "set", "trap", "true"}
"""Words that start no program; after ``>`` the command before goes on."""

_ALONE = (["--help"], ["-h"], ["--version"], ["--install-completion"])
"""Options that answer by themselves."""


@dataclass(frozen=True)
class Command:
    """A simple command: what it sets in its environment, and its words."""

    words: tuple[str, ...]
    environment: Mapping[str, str]


class WrongCommand(Exception):
    """The command line would be refused by the program that it calls."""


def commands(text: str) -> Iterator[Command]:
    """The simple commands of a shell block, those within ``$(…)`` included."""
    for line in _lines(text):
        words: list[str] = []
        reader = shlex.shlex(line, posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        for token in [*reader, ";"]:
            if set(token) <= _OPERATORS:
                if words and not words[-1].endswith("=$"):
                    yield _command(words)
                words = [">"] if set(token) & set("<>") else []
            else:
                words.append(token)


def check(command: Command) -> None:
    """Have a command read by its program's parser.

    Raises:
        WrongCommand: it would be refused there; the message has that parser's words.
    """
    program, *args = command.words
    program = program.removeprefix(".venv/bin/")
    _check_environment(command.environment)
    match program:
        case "atelier":
            _check_atelier(args)
        case "make":
            _check_make(args)
        case "python" if args[0] == "-m":
            _check_module(args[1], args[2:])
        case "python":
            _check_files(args[:1])
        case "ray" | "serve":
            _check_ray(program, args)
        case _ if program in _FOREIGN:
            _check_files(args)
        case _ if "/" in program:
            _check_files([program])
        case _:
            raise WrongCommand(f"{program}: no parser is known for it; see tests/docs/commands.py")


def _lines(text: str) -> Iterator[str]:
    """The logical lines: joined where a quote or a backslash says so."""
    held = ""
    for line in text.splitlines():
        held += line
        if held.endswith("\\"):
            held = held[:-1]
            continue
        try:
            shlex.split(held, comments=True)
        except ValueError:
            held += "\n"
            continue
        yield held
        held = ""
    if held:
        raise WrongCommand(f"a quote is not closed: {held}")


def _command(words: list[str]) -> Command:
    words = words[1:] if words[0] in _OPENING else words
    if not words or words[0] in _OF_SHELL:
        return Command(("echo",), {})
    environment: dict[str, str] = {}
    while words and words[0].partition("=")[0].isidentifier() and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    return Command(tuple(words) or ("export",), environment)


def _check_environment(environment: Mapping[str, str]) -> None:
    """Settings in it are settings, and take these values."""
    least = {"stackName": "a", "checkpoints": ".", "modelsRuntime": [{"name": "a", "type": "fake"}]}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            Settings.read(args=least)
        except SettingsError as exc:
            raise WrongCommand(f"{', '.join(environment)}: {exc}") from exc


def _check_atelier(args: list[str]) -> None:
    try:
        _read(_atelier(), "atelier", args)
    except Exception as exc:
        raise WrongCommand(getattr(exc, "message", None) or str(exc)) from exc


def _read(command: Any, name: str, args: list[str], parent: Any = None) -> None:
    """Have a command of Click's kind, or the one of its commands that is named, read the words."""
    is_group = hasattr(command, "resolve_command")
    if not args or args[:1] in _ALONE:
        return  # spoken of, or it asks for help
    context = command.make_context(name, list(args), parent=parent)
    if is_group:
        name, below, rest = command.resolve_command(context, _rest(context))
        _read(below, name, rest, context)


def _rest(context: Any) -> list[str]:
    """The words that a group leaves to its command; Click has no public name for it any more."""
    return [*context._protected_args, *context.args]  # noqa: SLF001


@cache
def _atelier() -> Any:
    return typer.main.get_command(app)


def _check_ray(program: str, args: list[str]) -> None:
    from ray.scripts.scripts import cli as ray  # noqa: PLC0415 - two seconds
    from ray.serve.scripts import cli as serve  # noqa: PLC0415

    parser = ray if program == "ray" else serve
    try:
        if args in ([name] for name in parser.commands):
            return  # a command that is spoken of
        _read(parser, program, args)
    except click.ClickException as exc:
        raise WrongCommand(f"{program}: {exc.format_message()}") from exc
    _check_files(args)


def _check_make(args: list[str]) -> None:
    """A dry run: make reads its file, and says which target it does not know."""
    done = subprocess.run(
        ["make", "--dry-run", "--silent", *args],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode:
        raise WrongCommand(f"make: {done.stderr.strip()}")


def _check_module(module: str, args: list[str]) -> None:
    """Have the module's own parser read the line; nothing else of the module runs."""
    source = _source(module)
    if not args:
        return
    if "ArgumentParser" not in source and "typer.run" not in source:
        raise WrongCommand(f"python -m {module}: takes no arguments")
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.arguments", module, *args],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise WrongCommand(f"python -m {module}: {done.stderr.strip()[-500:]}")


def _source(module: str) -> str:
    path = ROOT / module.replace(".", "/")
    for file in (path / "__main__.py", path.with_suffix(".py")):
        if file.exists():
            return file.read_text()
    raise WrongCommand(f"python -m {module}: no such module")


def _check_files(args: list[str]) -> None:
    """Check that each word that looks like a file of the repository is one."""
    for arg in args:
        top = arg.partition("/")[0]
        inside = "/" in arg and "://" not in arg and (ROOT / top).is_dir() and arg == arg.strip("…")
        if inside and top not in {"", ".", ".."} and not (ROOT / Path(arg)).exists():
            raise WrongCommand(f"{arg}: no such file")
