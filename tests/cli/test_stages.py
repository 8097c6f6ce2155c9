"""Display of a platform's start, on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console

from cli.local.stages import Deployment, StageBars, StageLines
from cli.output import Output


def test_a_note_stands_above_the_rows() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with StageBars(console) as stages:
        stages.begin("starting Ray")
        stages.note("vpc: no effect \x1b[1m")
    shown = console.file.getvalue()  # type: ignore[attr-defined] # of io.StringIO

    assert "note: vpc: no effect" in shown
    assert shown.rindex("note: vpc") < shown.rindex("starting Ray")
    assert "\x1b[1m\n" not in shown


def test_without_a_terminal_a_note_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    StageLines(Output(as_json=False)).note("vpc: no effect")
    StageLines(Output(as_json=True)).note("vpc: no effect")

    assert capsys.readouterr().err == "note: vpc: no effect\n"


@pytest.mark.parametrize(
    ("running", "of", "healthy", "text"),
    [
        (0, 0, False, "starting"),
        (0, 1, False, "starting"),
        (1, 2, False, "1 of 2 running"),
        (2, 2, True, "running"),
        (0, 0, True, "at zero: the first task starts a replica"),
    ],
)
def test_a_deployment_without_replicas_is_ready_once_none_is_wanted(
    running: int,
    of: int,
    healthy: bool,
    text: str,
) -> None:
    told = {"deployment": "comfy", "running": running, "of": of, "healthy": healthy, "why": ""}
    deployment = Deployment.read(told)

    assert (deployment.text, deployment.ready) == (text, text.startswith(("running", "at zero")))
