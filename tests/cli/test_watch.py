"""Watching: on a terminal, without one, and by a program."""

import io
import json
import signal
from base64 import b64encode
from pathlib import Path

import pytest
from rich.console import Console

from atelier import Client, PreviewEvent, ProgressView, Status, StatusEvent
from cli.bars import Bars
from cli.preview import painter
from tests.atelier.there import KEY, There, png
from tests.cli.conftest import Atelier
from tests.cli.terminal import Terminal

ESCAPE = "\x1b"
HALF = "▀"


@pytest.fixture
def held(there: There) -> str:
    """A task that stays at its first step."""
    there.hold()
    with Client(there.url, KEY) as client:
        return client.submit(kind="text-to-image", content={"batch_size": 2}, id="robot").id


def test_without_a_terminal_there_are_lines_and_no_codes(atelier: Atelier, tmp_path: Path) -> None:
    result = atelier("submit", "a robot", "--id", "robot", "--watch", "--save", tmp_path)

    assert result.exit_code == 0
    assert ESCAPE not in result.output
    assert "robot: completed in 0.5 s" in result.stderr
    assert [Path(line).parent for line in result.stdout.splitlines()] == [tmp_path]


def test_a_program_is_told_every_event(atelier: Atelier, tmp_path: Path) -> None:
    result = atelier("submit", "a robot", "--id", "r", "--watch", "--save", tmp_path, "--json")

    told = [json.loads(line) for line in result.stdout.splitlines()]
    names = [one["event"] for one in told if one["event"] not in {"status", "progress", "preview"}]
    assert names == ["artifact", "end", "saved"]
    assert {one["id"] for one in told} == {"r"}
    assert told[-2]["data"]["status"] == "completed"
    assert Path(told[-1]["data"]["files"][0]).read_bytes() == png()
    assert result.stderr == ""


def test_the_worst_end_is_the_commands(atelier: Atelier) -> None:
    atelier("submit", "a robot", "--id", "good")
    atelier("submit", "a robot", "--id", "bad", "--option", "fail=out of paint")

    assert atelier("watch", "good").exit_code == 0
    assert atelier("watch", "good", "bad").exit_code == 1
    result = atelier("watch", "good", "nobody", "bad")
    assert result.exit_code == 4
    assert "nobody: No such task" in result.stderr
    assert "bad: failed: out of paint" in result.stderr


def test_what_has_not_ended_in_time_has_a_code_of_its_own(atelier: Atelier, held: str) -> None:
    result = atelier("watch", held, "--timeout", "0.2")

    assert (result.exit_code, "can be watched again" in result.stderr) == (6, True)


def console(**environment: str) -> Console:
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **environment}
    return Console(file=io.StringIO(), force_terminal=True, width=80, _environ=terminal)


def preview() -> PreviewEvent:
    return PreviewEvent(content_type="image/png", data=b64encode(png()).decode())


def drawn(on: Console) -> str:
    """What a terminal is sent for a task with a preview."""
    with Bars(on, ["robot"], painter(on)) as bars:
        bars.take(0, StatusEvent(status=Status.QUEUED, attempt=0, position=2))
        bars.take(0, StatusEvent(status=Status.RUNNING, attempt=1))
        bars.take(0, ProgressView(step=1, of=2))
        bars.take(0, preview())
    file = on.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore:Image.Image.getdata:DeprecationWarning")  # in textual_image
def test_a_terminal_with_colours_shows_the_preview() -> None:
    assert HALF in drawn(console())


@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}, {"TERM": "dumb"}],
    ids=["no colour", "eight colours", "dumb"],
)
def test_a_terminal_that_cannot_show_a_preview_shows_none(environment: dict[str, str]) -> None:
    shown = drawn(console(**environment))

    assert HALF not in shown
    assert "robot" in shown


def test_a_preview_that_is_no_picture_is_left_out() -> None:
    paint = painter(console())

    assert paint
    assert paint(PreviewEvent(content_type="image/png", data="AAAA")) is None


def test_a_person_sees_progress_previews_and_files(there: There, held: str, tmp_path: Path) -> None:
    with Terminal(there.url, "watch", held, "--save", tmp_path) as screen:
        screen.until(HALF)
        there.go()

        assert screen.end() == 0
    assert "completed in 0.5 s" in screen.shown
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert "robot-" in screen.shown


def test_a_terminal_without_a_size_shows_no_preview(there: There, held: str) -> None:
    with Terminal(there.url, "watch", held, rows=0, columns=0) as screen:
        screen.until("running")
        there.go()

        assert screen.end() == 0
    assert HALF not in screen.shown


def test_a_person_who_leaves_is_told_that_the_task_goes_on(there: There, held: str) -> None:
    with Terminal(there.url, "watch", held) as screen:
        screen.until(HALF)
        screen.command.send_signal(signal.SIGINT)

        assert screen.end() == 130
    assert "atelier watch robot" in screen.shown
