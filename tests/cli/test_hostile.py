"""Hostile servers: nothing that they send reaches a terminal as anything but text."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.visible import visible, visible_lines
from tests.cli.conftest import Atelier
from tests.cli.hostile import ATTACK, hostile
from tests.cli.terminal import ROOT, Terminal

RAW = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
COMMANDS = {
    "submit": ["submit", "a robot"],
    "submit and wait": ["submit", "a robot", "--wait"],
    "submit and watch": ["submit", "a robot", "--watch"],
    "get": ["get", "robot"],
    "list": ["list"],
    "watch": ["watch", "robot"],
    "cancel": ["cancel", "robot"],
    "save": ["save", "robot"],
    "runtimes": ["runtimes"],
    "checkpoints": ["checkpoints"],
}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of the test's, where files are saved."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("answers", ["data", "problems", "pages"])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_control_character_of_a_server_is_printed(
    bare: Atelier, answers: str, command: str
) -> None:
    with hostile(answers) as url:
        done = bare(*COMMANDS[command], "--url", url)

    assert RAW.findall(done.output) == []
    assert done.exit_code in {0, 1, 2, 3, 5}
    assert isinstance(done.exception, SystemExit | None)
    assert "\\x" in done.output or command == "save" or answers == "pages"


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"save"}))
def test_json_stays_exact_and_ascii(bare: Atelier, command: str) -> None:
    with hostile("data") as url:
        done = bare(*COMMANDS[command], "--url", url, "--json")

    assert done.stdout.isascii()
    assert RAW.findall(done.stdout) == []
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(ATTACK in text for one in told for text in _texts(one))


def test_a_picture_is_saved_under_a_name_of_ours_and_over_no_file(
    bare: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("Makefile").write_text("all:")
    with hostile("data") as url:
        result = bare("save", "robot", "--url", url)
        bare("submit", "a robot", "--save", ".", "--url", url)

    [saved] = result.stdout.splitlines()
    assert re.fullmatch(r"id_[A-Za-z0-9_-]+-1\.(bin|json)", saved)
    assert {path.name for path in folder.iterdir()} == {"Makefile", saved}
    assert Path("Makefile").read_text() == "all:"
    assert [path.name for path in tmp_path.iterdir() if path != folder] == []


def _texts(document: Any) -> Iterator[str]:
    match document:
        case str():
            yield document
        case dict():
            yield from (text for each in document.values() for text in _texts(each))
        case list():
            yield from (text for each in document for text in _texts(each))


@pytest.mark.parametrize("command", ["list", "watch", "runtimes", "submit and watch"])
def test_a_terminal_is_sent_our_own_codes_alone(tmp_path: Path, command: str) -> None:
    with hostile("data") as url, Terminal(url, *COMMANDS[command], folder=tmp_path) as screen:
        screen.end()

    for theirs in ("\x1b[2J", "\x1b]0;", "\x1b]8;", "\x9b", "\x90", "\x7f", "\u202e", "\u2028"):
        assert theirs not in screen.shown
    assert "[2J" in screen.shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_pipe_of_less_than_unicode_is_sent_what_it_can_take(encoding: str) -> None:
    with hostile("data") as url:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "get", "robot", "--url", url],
            check=False,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (0, b"")
    assert RAW.findall(done.stdout.decode(encoding)) == []


def test_text_is_spelt_out_and_left_alone() -> None:
    assert visible("\x1b[31m\n\t\x9b\u202e\U000e0041\ud83d") == (
        r"\x1b[31m\n\t\x9b\u202e\U000e0041\ud83d"
    )
    assert visible("日本 é 👩‍🎨 [red]") == "日本 é 👩‍🎨 [red]"
    assert visible_lines("a\tb\r\nc\x07") == "a       b\\r\nc\\x07"
