"""`atelier submit`: tasks from a command line."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.atelier.served_platform import Platform, png
from tests.cli.conftest import Atelier


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(png())
    return path


def lines(result: Result) -> list[dict[str, Any]]:
    """Parse the JSON lines of an output, and check that nothing else was printed."""
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_prompt_is_a_task(atelier: Atelier, platform: Platform) -> None:
    result = atelier("submit", "a tin robot", "--id", "robot", "--wait", "--json")

    assert result.exit_code == 0
    [ended] = lines(result)
    assert (ended["id"], ended["status"], ended["files"]) == ("robot", "completed", [])
    [task] = platform.painter.started
    assert (task.kind, task.content) == ("text-to-image", {"prompt": "a tin robot"})


def test_time_limits_are_sent_and_shown(atelier: Atelier, platform: Platform) -> None:
    before = time.time()
    result = atelier("submit", "x", "--id", "robot", "--ttl", "5m", "--deadline", "2h", "--wait")
    [task] = platform.painter.started

    assert result.exit_code == 0, result.output
    assert task.ttl == 300
    assert task.deadline
    assert before + 7200 <= task.deadline <= time.time() + 7200
    told = atelier("get", "robot").stdout
    assert "may wait for" in told
    assert "wanted until" in told
    wrong = atelier("submit", "x", "--ttl", "0")
    assert (wrong.exit_code, "ttl: " in wrong.stderr) == (2, True)


def test_the_limits_of_a_file_are_kept(
    atelier: Atelier, platform: Platform, tmp_path: Path
) -> None:
    body = {"metadata": {"id": "a", "tasktype": "text-to-image", "ttl": 60}, "content": {}}
    (tmp_path / "task.json").write_text(json.dumps(body))
    atelier("submit", tmp_path / "task.json", "--wait")

    assert platform.painter.started[0].ttl == 60


def test_a_person_gets_the_id_alone(atelier: Atelier) -> None:
    result = atelier("submit", "a tin robot", "--id", "robot")

    assert (result.exit_code, result.stdout) == (0, "robot\n")
    assert "atelier watch robot" in result.stderr


def test_a_program_gets_the_task(atelier: Atelier) -> None:
    [task] = lines(atelier("submit", "a tin robot", "--json"))

    assert task["status"] in {"queued", "running", "completed"}


def test_every_option_arrives(atelier: Atelier, platform: Platform) -> None:
    fields = "--negative-prompt rust --steps 3 --width 64 --height 128 --cfg-scale 4.5"
    fields += " --seed 7 --batch-size 2 --denoising-strength 0.5 --checkpoint shapes"
    words = ["--sampler-name", "DPM++ 2M Karras", "--scheduler", "Karras"]
    more = [
        "--option",
        "tiling=true",
        "--option",
        "styles=[1]",
        "--option",
        "hr_prompt=a=b",
        "--option",
        "seed=8",
    ]
    to = "--runtime SDRuntime --prefix toys --callback https://example.org/told"
    result = atelier(
        "submit",
        "a robot",
        *fields.split(),
        *words,
        *more,
        *to.split(),
        "--context",
        '{"n": 1}',
        "--wait",
    )

    assert result.exit_code == 0
    [task] = platform.painter.started
    assert (task.runtime, task.prefix, task.context) == ("sdruntime", "toys", {"n": 1})
    assert task.callback
    assert task.callback.url == "https://example.org/told"
    assert task.content == {
        "prompt": "a robot",
        "negative_prompt": "rust",
        "steps": 3,
        "width": 64,
        "height": 128,
        "cfg_scale": 4.5,
        "sampler_name": "DPM++ 2M Karras",
        "scheduler": "Karras",
        "seed": 7,
        "batch_size": 2,
        "denoising_strength": 0.5,
        "override_settings": {"sd_model_checkpoint": "shapes"},
        "tiling": True,
        "styles": [1],
        "hr_prompt": "a=b",
    }


def test_any_field_can_be_set_as_an_option(atelier: Atelier, platform: Platform) -> None:
    atelier("submit", "a robot", "--option", "steps=3", "--option", "hr=null", "--wait")

    assert platform.painter.started[0].content == {"prompt": "a robot", "steps": 3, "hr": None}


def test_a_picture_makes_it_image_to_image(
    atelier: Atelier, platform: Platform, local: Path
) -> None:
    atelier("submit", "a star", "--image", local, "--mask", "https://example.org/m.png", "--wait")

    [task] = platform.painter.started
    assert task.kind == "image-to-image"
    assert task.content["init_images"][0].startswith("iVBORw0KGgo")
    assert task.content["mask"] == "https://example.org/m.png"


def test_a_factor_makes_it_an_upscaling(atelier: Atelier, platform: Platform, local: Path) -> None:
    atelier("submit", "--image", local, "--upscale", "4", "--upscaler", "4x-shapes", "--wait")

    [task] = platform.painter.started
    assert task.kind == "extra-single-image"
    assert task.content.pop("image").startswith("iVBORw0KGgo")
    assert task.content == {"upscaling_resize": 4.0, "upscaler_1": "4x-shapes"}


@pytest.mark.parametrize("named", ["argument", "option", "stdin"])
def test_a_file_is_a_task(atelier: Atelier, platform: Platform, tmp_path: Path, named: str) -> None:
    body = json.dumps({"prompt": "a tin robot", "seed": 3})
    file = tmp_path / "robot.json"
    file.write_text(body, "utf-8-sig")
    args: dict[str, list[str | Path]] = {
        "argument": [file],
        "option": ["--file", file],
        "stdin": ["--file", "-"],
    }

    result = atelier("submit", *args[named], "--wait", stdin=body if named == "stdin" else None)

    assert result.exit_code == 0
    assert platform.painter.started[0].content == {"prompt": "a tin robot", "seed": 3}


def test_options_win_over_a_file(atelier: Atelier, platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "robot.json"
    content = {"prompt": "a robot", "seed": 3, "override_settings": {"eta": 1}}
    task = {"kind": "text-to-image", "id": "robot", "prefix": "toys", "content": content}
    file.write_text(json.dumps(task))

    atelier("submit", "--file", file, "a star", "--id", "star", "--seed", "5",
            "--checkpoint", "shapes", "--wait")  # fmt: skip

    [started] = platform.painter.started
    assert (started.id, started.prefix) == ("star", "toys")
    assert started.content == {
        "prompt": "a star",
        "seed": 5,
        "override_settings": {"eta": 1, "sd_model_checkpoint": "shapes"},
    }


def test_a_count_counts_seeds_and_ids(atelier: Atelier, platform: Platform) -> None:
    result = atelier("submit", "a robot", "--count", "3", "--seed", "7", "--id", "r", "--wait")

    assert result.exit_code == 0
    started = {task.id: task.content["seed"] for task in platform.painter.started}
    assert started == {"r-1": 7, "r-2": 8, "r-3": 9}


def test_a_count_without_a_seed_leaves_it_to_the_runtime(
    atelier: Atelier, platform: Platform
) -> None:
    atelier("submit", "a robot", "--count", "2", "--seed", "-1", "--wait")

    assert [task.content["seed"] for task in platform.painter.started] == [-1, -1]
    assert len({task.id for task in platform.painter.started}) == 2


@pytest.mark.parametrize(
    ("checkpoint", "runtime"),
    [("shapes", "sdruntime"), ("shapes [0a1b2c3d]", "sdruntime"), ("other", "anyruntime")],
)
def test_the_oldest_dialect_finds_its_runtime_by_the_checkpoint(
    atelier: Atelier, tmp_path: Path, checkpoint: str, runtime: str
) -> None:
    scripts = {"task": "text-to-image", "id_task": "robot", "save_dir": "toys"}
    scripts["sd_model_checkpoint"] = checkpoint
    file = tmp_path / "legacy.json"
    file.write_text(json.dumps({"alwayson_scripts": scripts, "prompt": "a robot"}))

    [sent] = lines(atelier("submit", file, "--json"))

    assert (sent["id"], sent["runtime"]) == ("robot", runtime)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "give a PROMPT"),
        (["--upscale", "4"], "--upscale needs --image"),
        (["a star", "--image", "nowhere.png"], "nowhere.png: No such file"),
        (["nowhere.json"], "nowhere.json: No such file"),
        (["a star", "--option", "tiling"], "--option tiling: must be KEY=VALUE"),
        (["a star", "--id", "a b"], "id: "),
        (["a star", "--callback", "ftp://example.org"], "callback.url: "),
        (
            ["a star", "--runtime", "gone"],
            "runtime: must be one of sdruntime (fake), anyruntime (fake)",
        ),
    ],
)
def test_what_cannot_be_sent_is_explained(atelier: Atelier, args: list[str], told: str) -> None:
    result = atelier("submit", *args)

    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_a_graph_has_no_fields_of_the_web_ui(atelier: Atelier, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text('{"3": {"class_type": "KSampler"}}')
    result = atelier("submit", file, "--seed", "3")

    assert (result.exit_code, "change them in the graph" in result.stderr) == (2, True)


def test_a_wrong_file_is_named(atelier: Atelier, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xff\xfe{}")

    assert f"{file}: " in atelier("submit", file).stderr


def test_pictures_are_saved(atelier: Atelier, tmp_path: Path) -> None:
    result = atelier("submit", "a robot", "--batch-size", "2", "--save", tmp_path / "out")

    paths = [Path(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [path.read_bytes() for path in paths] == [png(), png()]
    assert {path.parent for path in paths} == {tmp_path / "out"}


def test_who_watches_has_the_pictures_saved_here(
    atelier: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    program = atelier("submit", "a robot", "--watch", "--json")
    assert (program.exit_code, list(here.iterdir())) == (0, [])
    person = atelier("submit", "a robot", "--watch")

    assert [str(path.relative_to(here)) for path in here.iterdir()] == person.stdout.split()


@pytest.mark.parametrize("below", [".", "deeper", "x" * 300])
@pytest.mark.parametrize("words", ["submit robot --save", "watch robot --save", "save robot"])
def test_a_file_is_no_folder_and_nothing_is_sent(
    atelier: Atelier, platform: Platform, tmp_path: Path, words: str, below: str
) -> None:
    (tmp_path / "out").write_text("a file")
    result = atelier(*words.split(), tmp_path / "out" / below)

    said = re.sub(r"[\s│]", "", result.stderr)
    assert (result.exit_code, "out is a file; name a folder".replace(" ", "") in said) == (2, True)
    assert platform.painter.started == []


@pytest.mark.parametrize("prompt", ["", "  ", "\n"])
def test_an_empty_prompt_is_refused(atelier: Atelier, prompt: str) -> None:
    result = atelier("submit", prompt)

    assert (result.exit_code, "the prompt is empty" in result.stderr) == (2, True)


def test_a_files_path_is_no_prompt_but_a_word_is(
    atelier: Atelier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "cat.png"):
        Path(name).write_text("a file")
    refused = [atelier("submit", name) for name in (str(tmp_path / "cat"), "./cat", "cat.png")]

    assert [each.exit_code for each in refused] == [2, 2, 2]
    assert all("is a file: give a payload with --file" in each.stderr for each in refused)
    assert atelier("submit", "cat").exit_code == 0
    assert atelier("submit", "a/b, 4.5 mm").exit_code == 0


def test_too_many_brackets_are_told_in_plain_words(atelier: Atelier, tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)
    said = [atelier("submit", file), atelier("submit", "a star", "--option", "x=" + "[" * 100_000)]

    assert [each.exit_code for each in said] == [2, 2]
    assert all("too many brackets within one another" in each.stderr for each in said)


def test_one_that_fails_is_the_commands_failure(atelier: Atelier) -> None:
    result = atelier("submit", "a robot", "--option", "fail=out of paint", "--id", "r", "--wait")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "r: failed: out of paint" in result.stderr


def test_a_person_who_waits_is_told_where_the_pictures_are(atelier: Atelier) -> None:
    result = atelier("submit", "a robot", "--id", "r", "--wait")

    assert result.stdout.startswith("s3://outputs/tasks/r/r-")
