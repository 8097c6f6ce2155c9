"""Examples of docs/cost.md, held to what the commands print."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Atelier

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cost.md"
SHOWN = re.findall(r"```sh\natelier (cost[^|\n]*)\n```\n\n```\n((?:.*\n)*?)```", PAGE.read_text())


def test_the_page_shows_every_scenario() -> None:
    assert [command.split(" -")[0] for command, _ in SHOWN] == [
        "cost",
        "cost compare",
        "cost seed-a",
        "cost seed-b",
    ]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_is_what_the_command_prints(bare: Atelier, command: str, shown: str) -> None:
    printed = bare(*shlex.split(command)).stdout

    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
