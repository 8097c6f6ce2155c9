"""Command lines of the documents are taken by their programs."""

import pytest

from tests.docs.commands import Command, WrongCommand, check, commands
from tests.docs.pages import PAGES, Block, blocks

LINES = [block for page in PAGES for block in blocks(page) if block.language == "sh"]
LINES = [block for block in LINES if block.shows is None]


@pytest.mark.parametrize("block", LINES, ids=lambda block: f"{block}: {block.text.strip()[:40]}")
def test_a_command_line_is_taken(block: Block) -> None:
    for command in commands(block.text):
        check(command)


def test_a_shell_block_is_split_into_its_commands() -> None:
    text = (
        'id=$(atelier submit "a b") && atelier watch "$id"  # both\nA=1 make demo | tee x > out\n'
    )

    assert list(commands(text)) == [
        Command(("atelier", "submit", "a b"), {}),
        Command(("atelier", "watch", "$id"), {}),
        Command(("make", "demo"), {"A": "1"}),
        Command(("tee", "x"), {}),
        Command(("echo",), {}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "atelier sumbit x",
        "atelier submit x --stepz 3",
        "atelier aws deploy --no-such",
        "make no-such-target",
        "python -m bench.previews --no-such",
        "python -m no.such.module",
        "serve run serve.yaml --no-such",
        "docker build --file docker/No.Dockerfile .",
        "ATELIER_TASKS__NOSUCH=1 atelier up",
        "no-such-program x",
    ],
)
def test_a_wrong_command_line_is_refused(line: str) -> None:
    (command,) = commands(line)

    with pytest.raises(WrongCommand):
        check(command)
