import json
from pathlib import Path

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
