import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

run = CliRunner().invoke
ROOT = Path(__file__).resolve().parents[2]


def test_the_repositorys_own_configuration_is_right() -> None:
    result = run(app, ["config", "check", str(ROOT / "config.yaml")])

    assert result.exit_code == 0
    assert "sdruntime (diffusers)" in result.output


def test_a_mistake_is_named_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("stackName: a\ncheckpoints: .\nmodelsRuntime: [{name: a, tipe: fake}]\n")

    result = run(app, ["config", "check", str(path)])

    assert result.exit_code == 2
    assert "modelsRuntime[0].tipe: unknown key; did you mean 'type'?" in result.output


def test_the_schema_knows_every_key() -> None:
    schema = json.loads(run(app, ["config", "schema"]).output)

    assert {"stackName", "APIGW", "modelsRuntime", "apiKeys", "tasks"} <= schema[
        "properties"
    ].keys()
    assert schema["additionalProperties"] is False


def test_the_version_is_told() -> None:
    assert run(app, ["version"]).output.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("runtime", "wrong"),
    [
        ("type: difusers", "unknown type; did you mean 'diffusers'?"),
        ("type: diffusers, options: {kep: 3}", "options.kep: unknown key; did you mean 'keep'?"),
        ("type: diffusers, modelFilename: nope", "modelFilename: no such checkpoint"),
    ],
)
def test_what_a_start_would_refuse_is_refused(tmp_path: Path, runtime: str, wrong: str) -> None:
    path = tmp_path / "config.yaml"
    models = ROOT / "samples" / "models"
    path.write_text(f"stackName: a\ncheckpoints: {models}\nmodelsRuntime: [{{name: a, {runtime}}}]")

    result = run(app, ["config", "check", str(path)])

    assert result.exit_code == 2
    assert wrong in result.output


@pytest.mark.parametrize(
    ("runtime", "key"),
    [
        ("gpus: 1000", "gpus"),
        ("gpus: 0, cpus: 5000", "cpus"),
        ("gpus: 0, replicas: 100000", "replicas"),
        ("gpus: 0, resources: {spaceship: 1}", "resources.spaceship"),
    ],
)
def test_what_this_machine_has_no_room_for_is_refused(
    tmp_path: Path, runtime: str, key: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"stackName: a\ncheckpoints: .\nmodelsRuntime: [{{name: a, type: fake, {runtime}}}]"
    )
    here = run(app, ["config", "check", str(path)])
    elsewhere = run(app, ["config", "check", str(path), "--elsewhere"])

    assert (here.exit_code, elsewhere.exit_code) == (2, 0)
    assert f".{key}: " in here.output


def test_what_is_not_checked_is_said(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    runtime = "{name: a, type: diffusers, modelFilename: nope, gpus: 1000}"
    path.write_text(f"stackName: a\ncheckpoints: /nowhere\nmodelsRuntime: [{runtime}]")

    here = run(app, ["config", "check", str(path)])
    elsewhere = run(app, ["config", "check", str(path), "--elsewhere"])
    told = json.loads(run(app, ["config", "check", str(path), "--elsewhere", "--json"]).stdout)

    assert (here.exit_code, elsewhere.exit_code) == (2, 0)
    assert "not checked: folders, weights, programs and GPUs" in elsewhere.output
    assert told["runtimes"] == {"a": "diffusers"}
    assert len(told["notes"]) == 1


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"stackName: \xff\xfe", "not YAML"),
        (b"stackName: a\nstackName: b\n", "line 2, column 1: this key stands twice"),
        (b"stackName: [a", "not YAML: look at line 1"),
        (b"- stackName", "must be a mapping of settings"),
        (b"stackName: 5\ncheckpoints: .\nmodelsRuntime: []", "stackName: Input should be a valid"),
    ],
)
def test_a_file_that_is_none_is_told_without_a_traceback(
    tmp_path: Path, text: bytes, wrong: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text)

    result = run(app, ["config", "check", str(path)])

    assert result.exit_code == 2
    assert wrong in result.output


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    result = run(app, ["config", "check", str(tmp_path)])

    assert result.exit_code == 2
    assert "cannot be read: Is a directory" in result.output


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("--database-url=sqlite:///:memory:   # shared", "reads a text with ': ' in it"),
        ("no", "reads numbers, dates, yes and no as such"),
        ("2026-01-31", "quote it"),
    ],
)
def test_what_yaml_made_of_a_text_is_told(tmp_path: Path, word: str, hint: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"""
stackName: a
checkpoints: .
modelsRuntime:
  - name: comfy
    type: comfyui
    options:
      backend:
        command:
          - python
          - {word}
""")

    result = run(app, ["config", "check", str(path)])

    assert "modelsRuntime[comfy].options.backend.command[1]: Input should be" in result.output
    assert hint in result.output
    assert "sqlite" not in result.output


@pytest.mark.parametrize("option", ["--port", "--aws-port"])
@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_up_takes_no_number_that_is_no_port(option: str, port: str) -> None:
    result = run(app, ["up", option, port])

    assert result.exit_code == 2
    assert option in result.output
    assert "0 to 65535" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "list --status complete",
            "'complete' is unknown; did you mean 'completed'? allowed:",
        ),
        ("list --status done", "'done' is unknown; allowed: queued, running"),
        ("keys new ana --role opertor", "did you mean 'operator'? allowed: viewer, artist"),
        ("list --limit x", "must be a whole number"),
        ("list --limit 0", "must be at least 1"),
        ("submit x --cfg-scale much", "must be a number"),
    ],
)
def test_a_wrong_option_is_told_in_plain_words(words: str, told: str) -> None:
    result = run(app, words.split())

    said = re.sub(r"[\s│]", "", result.output)
    assert result.exit_code == 2
    assert told.replace(" ", "") in said
    assert "Valueerror" not in said


def test_a_wrong_file_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("stackName: [a")

    assert run(app, ["config", "check", str(path)]).output.count(str(path)) == 1


def test_what_is_set_in_vain_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    runtime = "{name: a, type: fake, gpus: 0, chartVersion: 1.2.0}"
    path.write_text(
        f"stackName: a\ncheckpoints: .\nmodelsRuntime: [{runtime}]\nvpc: {{natGateways: 2}}\n"
    )
    here = run(app, ["config", "check", str(path)])
    elsewhere = run(app, ["config", "check", str(path), "--elsewhere"])
    path.write_text(path.read_text() + "modelBucketArn: 'arn:aws:s3:::weights'\n")
    path.write_text(path.read_text() + "aws: {account: '111122223333'}\n")
    on_aws = run(app, ["config", "check", str(path)])
    chart = "note: modelsRuntime[a].chartVersion: no effect here: no runtime has a chart"

    for told in (here, elsewhere, on_aws):
        assert told.exit_code == 0, told.output
        assert chart in told.output
    assert "note: vpc: no effect on this machine" in here.output
    assert "vpc" not in elsewhere.output + on_aws.output
    assert "note: checkpoints: no effect on AWS: " in on_aws.output
