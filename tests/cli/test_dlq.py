"""Commands on dead letters."""

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.atelier.served_platform import Platform
from tests.cli.conftest import Atelier
from tests.cli.test_tasks import lines
from tests.ingest.world import message

HOSTILE = "\x1b[2J\x1b]0;owned\x07"


def now(platform: Platform, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(coroutine, platform.loop).result(10)


def dead(platform: Platform, body: str, reason: str = "no id") -> str:
    """Put a message among the dead letters; return its id."""
    letters = platform.world.queue.letters
    now(platform, letters.send(body, {"reason": reason}))
    return letters.messages[-1].id


def task(**metadata: Any) -> str:
    return json.dumps(message(**metadata))


def test_letters_are_listed(atelier: Atelier, platform: Platform) -> None:
    letter = dead(platform, task(id="robot"), "no prompt")
    told = atelier("dlq", "list")
    [page] = lines(atelier("dlq", "list", "sdruntime", "--json"))

    for word in (letter, "sdruntime", "robot", "no prompt"):
        assert word in told.stdout
    assert "sdruntime: about 1" in told.stderr
    assert [each["id"] for each in page["letters"]] == [letter]


def test_a_page_names_the_next(atelier: Atelier, platform: Platform) -> None:
    made = [dead(platform, task()) for _ in range(3)]
    told = atelier("dlq", "list", "sdruntime", "--limit", "2")
    following = told.stderr.partition("more: atelier ")[2].split()
    rest = atelier(*following)

    assert sorted(made) == sorted(each for each in made if each in told.stdout + rest.stdout)
    assert "more" not in rest.stderr


def test_a_letter_is_shown_and_moves_no_cursor(atelier: Atelier, platform: Platform) -> None:
    body = json.dumps({"metadata": {"id": HOSTILE}, "content": {"password": "S3CRET"}})
    letter = dead(platform, body, f"bad {HOSTILE}")
    for told in (
        atelier("dlq", "show", "sdruntime", letter).output,
        atelier("dlq", "show", "sdruntime", letter, "--json").output,
        atelier("dlq", "list").output,
    ):
        assert letter in told
        assert "\x1b" not in told
        assert "\x07" not in told
        assert "S3CRET" not in told


def test_letters_are_sent_again(atelier: Atelier, platform: Platform) -> None:
    first, second = dead(platform, task(id="first")), dead(platform, task(id="second"))
    told = atelier("dlq", "redrive", "sdruntime", first)
    rest = lines(atelier("dlq", "redrive", "sdruntime", "--all", "--json"))

    assert told.stdout.startswith(f"{first}: sent first")
    assert [(each["id"], each["outcome"]) for each in rest] == [(second, "sent")]
    assert atelier("watch", "second").exit_code == 0
    assert "there was none" in atelier("dlq", "redrive", "sdruntime", "--all").stderr
    gone = atelier("dlq", "redrive", "sdruntime", first)
    assert (gone.exit_code, f"{first}: missing" in gone.stdout) == (4, True)


@pytest.mark.parametrize("form", ["text", "file", "input"])
def test_one_is_changed(atelier: Atelier, platform: Platform, tmp_path: Path, form: str) -> None:
    letter = dead(platform, task(id=""))
    patch = '{"metadata": {"id": "mended"}}'
    (tmp_path / "patch.json").write_text(patch)
    given = {"text": patch, "file": f"@{tmp_path}/patch.json", "input": "-"}[form]
    told = atelier("dlq", "redrive", "sdruntime", letter, "--edit", given, stdin=patch)

    assert told.exit_code == 0, told.output
    assert atelier("watch", "mended").exit_code == 0


def test_letters_are_deleted(atelier: Atelier, platform: Platform) -> None:
    first, _ = dead(platform, task()), dead(platform, task())
    told = atelier("dlq", "purge", "sdruntime", first)
    unasked = atelier("dlq", "purge", "sdruntime", "--all")
    rest = lines(atelier("dlq", "purge", "sdruntime", "--all", "--yes", "--json"))

    assert told.stdout == f"{first}: deleted a\n"
    assert (unasked.exit_code, "add --yes" in unasked.stderr) == (2, True)
    assert [each["outcome"] for each in rest] == ["deleted"]
    assert not platform.world.queue.letters.messages


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["purge", "sdruntime"], 2, "give the ids of letters, or --all"),
        (["redrive", "sdruntime", "x", "--all"], 2, "give the ids of letters, or --all"),
        (["redrive", "sdruntime", "x", "--edit", "{"], 2, "--edit is no JSON"),
        (["redrive", "sdruntime", "x", "--edit", "[1]"], 2, "--edit must be a JSON object"),
        (
            ["redrive", "sdruntime", "x", "--edit", "@nothing.json"],
            2,
            "nothing.json cannot be read",
        ),
        (["redrive", "tasks-unrouted", "--all"], 2, "to: is needed"),
        (["redrive", "nobody", "--all"], 4, "there are these queues of dead letters: sdruntime"),
        (["show", "..", "x"], 2, "must be a name"),
        (["show", "sdruntime", "x"], 4, "No such letter"),
        (["list", "nobody"], 2, "queue: there are these queues"),
    ],
)
def test_what_is_wrong_is_said(atelier: Atelier, words: list[str], code: int, told: str) -> None:
    result = atelier("dlq", *words)

    assert result.exit_code == code
    assert told in result.stderr


def test_they_need_an_operators_key(atelier: Atelier, platform: Platform) -> None:
    dead(platform, task())
    result = atelier("dlq", "list", "--api-key", "bo's key")

    assert (result.exit_code, "this needs operator" in result.stderr) == (3, True)
