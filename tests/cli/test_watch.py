"""`atelier watch`: on a terminal, without one, and by a program."""

import io
import json
import signal
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from rich.console import Console

from atelier import Client, PreviewEvent, ProgressView, Status, StatusEvent
from cli.bar_display import BarDisplay
from cli.display import LineDisplay, state
from cli.output import Output
from cli.preview import painter
from tests.atelier.served_platform import KEY, Platform, png
from tests.cli.conftest import Atelier
from tests.cli.terminal import Terminal

ESCAPE = "\x1b"
QUIET = pytest.mark.filterwarnings(
    "ignore:Image.Image.getdata:DeprecationWarning"
)  # of the library
HALF = "▀"


@pytest.fixture
def held(platform: Platform) -> str:
    """Hold a task at its first step."""
    platform.hold()
    with Client(platform.url, KEY) as client:
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


def console(
    width: int = 80, height: int = 24, environment: Mapping[str, str] | None = None
) -> Console:
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})}
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, _environ=terminal
    )


def preview(width: int = 64, height: int = 64) -> PreviewEvent:
    body = io.BytesIO()
    PIL.Image.new("RGB", (width, height), "red").save(body, "PNG")
    return PreviewEvent(content_type="image/png", data=b64encode(body.getvalue()).decode())


def rows_of(
    on: Console, *sources: PreviewEvent | Path, names: Sequence[str] = ("robot",)
) -> list[str]:
    """Return the screen's rows that show a picture after these pictures."""
    with BarDisplay(on, names, painter(on)) as bars:
        for source in sources:
            if isinstance(source, Path):
                bars.saved(0, [source])
            else:
                bars.take(0, source)
    # The last screen stays when the block ends.
    screen = Console(record=True, file=io.StringIO(), width=on.width, height=on.height)
    screen.print(bars.view)
    lines = screen.export_text().splitlines()
    assert len(lines) <= on.height
    return [line.rstrip() for line in lines if HALF in line]


def drawn(on: Console) -> str:
    """Return what a terminal is sent for a task with a preview."""
    with BarDisplay(on, ["robot"], painter(on)) as bars:
        bars.take(0, StatusEvent(status=Status.QUEUED, attempt=0, position=2))
        bars.take(0, StatusEvent(status=Status.RUNNING, attempt=1))
        bars.take(0, ProgressView(step=1, of=2))
        bars.take(0, preview())
    file = on.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def screen_of(on: Console, names: Sequence[str], *told: StatusEvent) -> list[str]:
    """Return the screen's rows after each task was told one event."""
    with BarDisplay(on, names, None) as bars:
        for row, event in enumerate(told):
            bars.take(row, event)
    screen = Console(record=True, file=io.StringIO(), width=on.width, height=on.height)
    screen.print(bars.view)
    return [line.rstrip() for line in screen.export_text().splitlines()]


NODE = StatusEvent(
    status=Status.QUEUED,
    attempt=0,
    position=2,
    eta_seconds=130,
    phase="waiting for a node",
    why="no Spot capacity for g6.xlarge",
)


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_task_that_waits_says_for_what_how_long_and_why(width: int) -> None:
    running = StatusEvent(status=Status.RUNNING, attempt=1, phase="loading a checkpoint")
    long = "f" * 32
    waiting, loading, why = screen_of(console(width), [long, "robot"], NODE, running)

    assert " waiting for a node, about 2 min " in waiting
    assert waiting.endswith("0:00:00")
    assert " loading a checkpoint " in loading
    assert why == "no Spot capacity for g6.xlarge"


def test_what_many_tasks_wait_for_is_said_once_and_no_longer_than_they_wait() -> None:
    both = screen_of(console(), ["a", "b"], NODE, NODE)
    on = console()
    with BarDisplay(on, ["a"], None) as bars:
        bars.take(0, NODE)
        bars.take(0, StatusEvent(status=Status.RUNNING, attempt=1))
        after = on.render_lines(bars.view)

    assert len(both) == 3
    assert len(after) == 1


def test_a_wait_counts_down_between_two_events() -> None:
    assert [state(NODE, waited) for waited in (0, 60, 128, 600)] == [
        f"waiting for a node, about {left}" for left in ("2 min", "70 s", "5 s", "5 s")
    ]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"position": 2, "phase": "3rd in the queue"}, "3rd in the queue"),
        ({"position": 2, "phase": "starting a replica"}, "starting a replica, behind 2"),
        ({"position": 2}, "queued, behind 2"),
        ({"position": 0}, "queued"),
        ({}, "queued"),
    ],
)
def test_what_is_not_known_is_not_said(told: Mapping[str, Any], said: str) -> None:
    assert state(StatusEvent(status=Status.QUEUED, attempt=0, **told)) == said


def test_a_state_is_said_again_only_when_it_reads_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = LineDisplay(Output(as_json=False), ["robot"])
    for eta in (130, 125, 40):
        display.take(0, NODE.model_copy(update={"eta_seconds": eta}))

    assert capsys.readouterr().err.splitlines() == [
        "robot: waiting for a node, about 2 min; no Spot capacity for g6.xlarge",
        "robot: waiting for a node, about 40 s; no Spot capacity for g6.xlarge",
    ]


@QUIET
@pytest.mark.parametrize(
    ("size", "picture", "shown"),
    [
        ((80, 24), (64, 64), (36, 18)),
        ((80, 24), (512, 512), (36, 18)),
        ((80, 24), (1024, 256), (60, 8)),
        ((80, 24), (256, 1024), (9, 18)),
        ((80, 24), (4000, 10), (60, 1)),
        ((20, 24), (64, 64), (19, 10)),
        ((200, 60), (64, 64), (60, 30)),
        ((80, 10), (64, 64), (8, 4)),
    ],
)
def test_a_picture_keeps_its_shape_and_fits(
    size: tuple[int, int], picture: tuple[int, int], shown: tuple[int, int]
) -> None:
    rows = rows_of(console(*size), preview(*picture))

    assert (len(rows[0]), len(rows)) == shown
    assert len(set(rows)) == 1


@QUIET
def test_a_picture_leaves_room_for_what_tasks_wait_for() -> None:
    on = console(40, 12)
    with BarDisplay(on, ["a", "b"], painter(on)) as bars:
        bars.take(0, NODE.model_copy(update={"why": "no Spot capacity " * 5}))
        bars.take(1, preview(64, 64))
        lines = on.render_lines(bars.view)

    assert len(lines) <= 12 - 5
    assert len(rows_of(console(40, 12), preview(64, 64), names=["a", "b"])) == 5


@QUIET
def test_many_bars_leave_no_room_for_a_picture() -> None:
    assert rows_of(console(80, 8), preview(), names=["a", "b", "c", "d"]) == []


@QUIET
def test_the_newest_picture_is_shown_and_at_last_what_was_saved(tmp_path: Path) -> None:
    saved = tmp_path / "a.png"
    PIL.Image.new("RGB", (40, 80), "blue").save(saved)
    broken = PreviewEvent(content_type="image/png", data="AAAA")

    assert len(rows_of(console(), preview(200, 50), broken)) == 8
    assert len(rows_of(console(), preview(200, 50), saved)[0]) == 18


@QUIET
def test_the_picture_stays_on_the_screen() -> None:
    last_frame = drawn(console()).rpartition("\x1b[2K")[2]

    assert last_frame.count(HALF) == 36 * 18


@QUIET
def test_a_terminal_with_colours_shows_the_preview() -> None:
    assert HALF in drawn(console())


@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}, {"TERM": "dumb"}],
    ids=["no colour", "eight colours", "dumb"],
)
def test_a_terminal_that_cannot_show_a_preview_shows_none(environment: dict[str, str]) -> None:
    shown = drawn(console(environment=environment))

    assert HALF not in shown
    assert "robot" in shown


def test_a_preview_that_is_no_picture_is_left_out() -> None:
    paint = painter(console())

    assert paint
    bomb = b64encode(png()[:16] + b"\x7f\xff\xff\xff" * 2 + png()[24:]).decode()
    for data in ("AAAA", "", "no base64", bomb, b64encode(b"%!PS-Adobe-3.0 EPSF").decode()):
        assert paint(PreviewEvent(content_type="image/png", data=data), 20) is None


def test_a_person_sees_progress_previews_and_files(
    platform: Platform, held: str, tmp_path: Path
) -> None:
    with Terminal(platform.url, "watch", held, "--save", tmp_path) as screen:
        screen.until(HALF)
        platform.go()

        assert screen.end() == 0
    assert "completed in 0.5 s" in screen.shown
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert "robot-" in screen.shown


def test_a_person_who_only_waits_sees_bars_without_previews(platform: Platform, held: str) -> None:
    del held
    with Terminal(platform.url, "submit", "a robot", "--id", "second", "--wait") as screen:
        screen.until("━")
        platform.go()

        assert screen.end() == 0
    assert "completed in 0.5 s" in screen.shown
    assert HALF not in screen.shown


def test_a_terminal_without_a_size_shows_no_preview(platform: Platform, held: str) -> None:
    with Terminal(platform.url, "watch", held, rows=0, columns=0) as screen:
        screen.until("running")
        platform.go()

        assert screen.end() == 0
    assert HALF not in screen.shown


def test_a_person_who_leaves_is_told_that_the_task_goes_on(platform: Platform, held: str) -> None:
    with Terminal(platform.url, "watch", held) as screen:
        screen.until(HALF)
        screen.command.send_signal(signal.SIGINT)

        assert screen.end() == 130
    assert "atelier watch robot" in screen.shown
