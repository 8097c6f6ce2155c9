"""Commands on tasks that were sent."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from atelier import Client
from cli.hints import as_options
from cli.main import app
from tests.atelier.served_platform import KEY, Platform, png
from tests.cli.conftest import Atelier
from tests.cli.hostile import hostile


@pytest.fixture
def made(platform: Platform) -> str:
    """Make a task that has ended."""
    with Client(platform.url, KEY) as client:
        sent = client.text_to_image("a tin robot", batch_size=2)
        return client.wait(sent, timeout=20).id


def lines(result: Result) -> list[dict[str, Any]]:
    """Parse the JSON lines of an output, and check that nothing else was printed."""
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_task_is_told_to_a_person(atelier: Atelier, made: str) -> None:
    told = atelier("get", made).stdout

    assert f"id          {made}\n" in told
    assert "status      completed\n" in told
    assert told.count(".png\n") == 2
    assert "error" not in told


def test_a_task_is_told_to_a_program(atelier: Atelier, made: str) -> None:
    [told] = lines(atelier("get", made, "--json"))

    assert (told["status"], len(told["artifacts"])) == ("completed", 2)


def test_tasks_are_listed(atelier: Atelier, made: str) -> None:
    table = atelier("list", "--status", "completed", "--runtime", "sdruntime", "--since", "1h")

    assert made[:8] in table.stdout
    assert [task["id"] for task in lines(atelier("list", "--json"))] == [made]
    assert lines(atelier("list", "--json", "--status", "failed", "--status", "queued")) == []
    assert lines(atelier("list", "--json", "--until", "2026-01-01")) == []
    assert lines(atelier("list", "--json", "--key", "bo")) == []


def test_a_time_that_is_none_is_explained(atelier: Atelier) -> None:
    result = atelier("list", "--since", "yesterday")

    assert (result.exit_code, "must be like 90m" in result.stderr) == (2, True)


def test_tasks_are_cancelled(atelier: Atelier, platform: Platform, made: str) -> None:
    platform.hold()
    for name in ("a", "b"):
        atelier("submit", "a robot", "--id", name)
    result = atelier("cancel", "a", "nobody", "b", made)

    assert result.stdout == f"a: cancelled\nb: cancelled\n{made}: completed\n"
    assert (result.exit_code, "nobody: No such task" in result.stderr) == (4, True)
    assert lines(atelier("cancel", "a", "--json"))[0]["status"] == "cancelled"


def test_pictures_are_saved_later(atelier: Atelier, made: str, tmp_path: Path) -> None:
    result = atelier("save", made, tmp_path)
    [told] = lines(atelier("save", made, tmp_path, "--json"))

    assert [Path(line).read_bytes() for line in result.stdout.splitlines()] == [png(), png()]
    assert told == {"id": made, "files": result.stdout.splitlines()}


def test_where_nothing_was_made_yet_nothing_is_saved(
    atelier: Atelier, platform: Platform, tmp_path: Path
) -> None:
    platform.hold()
    atelier("submit", "a robot", "--id", "r")
    result = atelier("save", "r", tmp_path / "new")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "r has made nothing yet" in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_submission_is_told_from_the_newest(atelier: Atelier, made: str, tmp_path: Path) -> None:
    atelier("submit", "a robot", "--id", made, "--wait")
    [newest] = lines(atelier("get", made, "--json"))
    [first] = lines(atelier("get", made, "--submission", made, "--json"))

    assert (newest["submission"] == made, first["submission"]) == (False, made)
    [saved] = lines(atelier("save", made, tmp_path, "--submission", made, "--json"))
    assert len(saved["files"]) == 2
    result = atelier("watch", made, "other", "--submission", made)
    assert (result.exit_code, "give one" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["get", "cancel", "save", "watch"])
def test_a_task_that_is_not_there_has_a_code_of_its_own(atelier: Atelier, command: str) -> None:
    result = atelier(command, "nobody")

    assert (result.exit_code, result.stdout) == (4, "")
    assert "No such task" in result.stderr


def test_the_offer_is_listed(atelier: Atelier) -> None:
    assert "sdruntime" in atelier("runtimes").stdout
    assert "shapes" in atelier("checkpoints").stdout
    runtimes, checkpoints = (lines(atelier(what, "--json")) for what in ("runtimes", "checkpoints"))
    assert [runtime["name"] for runtime in runtimes] == ["sdruntime", "anyruntime"]
    assert [checkpoint["name"] for checkpoint in checkpoints] == ["shapes"]


def test_a_shell_completes_commands_and_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    profiles = tmp_path / "atelier" / "profiles.toml"
    profiles.parent.mkdir()
    profiles.write_text("[mine]\n[work]\n")

    def completed(words: str) -> list[str]:
        shell = {"_ATELIER_COMPLETE": "complete_bash", "COMP_WORDS": words}
        shell["COMP_CWORD"] = str(words.count(" "))
        return CliRunner().invoke(app, [], prog_name="atelier", env=shell).stdout.split()

    assert completed("atelier wa") == ["watch"]
    assert "--denoising-strength" in completed("atelier submit --den")
    assert completed("atelier list --status ca") == ["cancelled"]
    assert completed("atelier list --profile m") == ["mine"]
    profiles.write_text("[broken")
    assert completed("atelier list --profile m") == []


@pytest.fixture
def completed(bare: Atelier) -> Callable[[str], list[str]]:
    """Return what the shell offers for these words."""

    def complete(words: str) -> list[str]:
        shell = {"_ATELIER_COMPLETE": "complete_bash", "COMP_WORDS": words}
        shell["COMP_CWORD"] = str(words.count(" "))
        done = CliRunner().invoke(app, [], prog_name="atelier", env=shell)
        assert done.stderr == ""
        return done.stdout.split()

    return complete


def test_a_shell_completes_the_platforms_own_names(
    atelier: Atelier, completed: Callable[[str], list[str]]
) -> None:
    for name in ("robot-1", "robot-2", "star"):
        atelier("submit", "a robot", "--id", name)

    assert completed("atelier submit --runtime s") == ["sdruntime"]
    assert completed("atelier list --runtime ") == ["sdruntime", "anyruntime"]
    assert completed("atelier submit --checkpoint sh") == ["shapes"]
    assert completed("atelier get ro") == ["robot-2", "robot-1"]
    assert completed("atelier watch star ro") == ["robot-2", "robot-1"]
    assert {"star"} == set(completed("atelier cancel st")) == set(completed("atelier save st"))


def test_completion_asks_where_the_words_say(
    bare: Atelier, platform: Platform, completed: Callable[[str], list[str]]
) -> None:
    words = f"atelier submit --url {platform.url} --api-key"

    assert completed(f"{words} 'ana\\'s own key' --runtime s") == []
    assert completed(f'{words} "{KEY}" --runtime s') == []
    assert completed("atelier submit --url http://127.0.0.1:1 --runtime s") == []


@pytest.mark.parametrize("answers", ["data", "problems", "pages"])
def test_completion_offers_a_shell_nothing_that_it_would_run(
    completed: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    with hostile(answers) as url:
        monkeypatch.setenv("ATELIER_URL", url)

        assert completed("atelier submit --runtime ") == []
        assert completed("atelier submit --checkpoint ") == []
        assert completed("atelier get ") == []


def test_completion_does_not_wait_for_who_does_not_answer(
    completed: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ATELIER_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")

        assert completed("atelier get ") == []


@pytest.mark.parametrize("words", ["", "submit", "config", "config check", "aws", "aws logs"])
def test_the_help_is_asked_for_in_short(bare: Atelier, words: str) -> None:
    result = bare(*words.split(), "-h")

    assert (result.exit_code, result.stdout) == (0, bare(*words.split(), "--help").stdout)


def test_the_version_is_an_option_too(bare: Atelier) -> None:
    assert bare("--version").stdout == "atelier 0.1.0\n"


def test_a_hint_names_an_option(atelier: Atelier) -> None:
    result = atelier("cancel", "nobody")

    assert "--submission <its MessageId>" in result.stderr
    assert "?submission" not in result.stderr


def test_a_field_of_the_content_is_named_with_its_option() -> None:
    told = "content.cfg_scale: must be a number\ncontent.n_iter: no\nid: see content.steps: no"

    assert as_options(told) == (
        "content.cfg_scale (--cfg-scale): must be a number\n"
        "content.n_iter: no\nid: see content.steps: no"
    )


def test_a_wrong_field_is_said_in_our_own_words(atelier: Atelier) -> None:
    result = atelier("submit", "a star", "--id", "a b")

    assert "id: must be 1 to 200 of" in result.stderr
    assert "Value error" not in result.stderr


@pytest.mark.parametrize("command", ["submit", "get", "list", "watch", "cancel", "save"])
def test_a_commands_help_shows_how_it_is_used(bare: Atelier, command: str) -> None:
    assert f"atelier {command} " in bare(command, "--help").stdout


def test_the_codes_are_in_the_help(bare: Atelier) -> None:
    told = " ".join(bare("--help").stdout.split())

    assert "5 platform not reachable" in told


def test_a_program_can_ask_for_the_version(bare: Atelier) -> None:
    assert lines(bare("version", "--json")) == [{"version": "0.1.0"}]
