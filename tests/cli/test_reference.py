"""Reference docs/cli.md: it names every command and option that there is, and none besides."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from cli import exit_codes
from cli.main import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    "": ("cli.md",),
    "checkpoints": ("checkpoints.md",),
    "aws": ("deploy.md", "operations.md"),
    "cost": ("cost.md",),
}
EVERYWHERE = {"--help", "-h", "--json", "--install-completion", "--show-completion"}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Return each command that the help shows, by its words."""
    if not isinstance(group, TyperGroup):
        yield " ".join(path), group
        return
    for name, command in group.commands.items():
        if not command.hidden:
            yield from commands(command, (*path, name))


ALL = dict(commands(typer.main.get_command(app)))


def page(command: str) -> str:
    """Return what the page says of a command."""
    names = PAGES.get(command.split(maxsplit=1)[0], PAGES[""])
    return "\n".join((DOCS / name).read_text() for name in names)


def options(command: Any) -> list[tuple[str, ...]]:
    """Return all names of a command's options."""
    taken = (p for p in command.params if isinstance(p, TyperOption) and not p.hidden)
    return [(*option.opts, *option.secondary_opts) for option in taken]


def documented(text: str) -> set[str]:
    """Return the options that a section names, those of one letter, too."""
    return set(re.findall(r"(?<![\w-])(?:--[a-z][a-z-]+|-[A-Za-z])(?![\w-])", text))


@pytest.mark.parametrize("command", ALL)
def test_a_command_and_its_options_are_documented(command: str) -> None:
    text = page(command)
    name = command.rsplit(maxsplit=1)[-1]

    assert re.search(rf"[`| ]{name}\b", text)
    known = documented(text) | EVERYWHERE
    assert [names for names in options(ALL[command]) if not known & {*names}] == []


def test_no_option_is_documented_that_there_is_not() -> None:
    root = {"--version", *EVERYWHERE}
    known = {name for each in ALL.values() for names in options(each) for name in names} | root

    assert documented((DOCS / "cli.md").read_text()) - known == set()


def test_no_command_is_documented_that_there_is_not() -> None:
    shown = re.findall(r"(?:^|`|\(|&& )atelier ([a-z]+(?: [a-z]+)?)", (DOCS / "cli.md").read_text())
    known = set(ALL) | {name.split()[0] for name in ALL}

    assert [words for words in shown if not {words, words.split()[0]} & known] == []


def test_the_exit_codes_are_those_of_the_document_and_of_the_help() -> None:
    text = (DOCS / "cli.md").read_text().partition("| exit code | |")[2].partition("\n\n")[0]
    told = exit_codes.EPILOG
    codes = {code for code in vars(exit_codes).values() if isinstance(code, int)} | {130}

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == codes
    assert {int(code) for code in re.findall(r"(?:: |; )(\d+) ", told)} == codes
