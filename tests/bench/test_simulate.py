"""Options of the simulation's command: each counts, and a wrong one is named."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench.simulate import main

CONFIG = """
stackName: atelier
checkpoints: .
modelsRuntime:
  - {name: first, type: fake}
  - {name: other, type: fake, scaling: {minReplicas: 1, maxReplicas: 7}}
"""
SHORT = ("--trace", "burst", "--seed", "1")
"""Options of a run of seconds."""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def simulate(*options: str) -> tuple[int, str]:
    app = typer.Typer(rich_markup_mode=None)
    app.command()(main)
    done = CliRunner().invoke(app, options)
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--trace nosuch", "--trace nosuch: there are steady"),
        ("--policy nosuch", "--policy nosuch: there are queueLength 10"),
        ("--runtime other", "--runtime is one of --config"),
        ("--runtime nosuch --config config.yaml", "--runtime nosuch: there are first, other"),
        ("--config absent.yaml", "--config: absent.yaml: cannot be read"),
        ("--config config.yaml --policy KEDA", "the policy 'as configured', which is left out"),
        ("--json absent/runs.json", "--json absent/runs.json: there is no such folder"),
        ("--world nosuch=1", "--world nosuch: there are boot_seconds"),
        ("--world boot_seconds", "boot_seconds: '' is not a number"),
        ("--world boot_seconds=long", "boot_seconds: 'long' is not a number"),
        ("--world boot_seconds=inf", "boot_seconds: 'inf' is not a number"),
        ("--world boot_seconds=-1", "boot_seconds: '-1' is not a number"),
        ("--world jitter=-1", "jitter: '-1' is not a share"),
        ("--world spot_share=1.1", "spot_share: '1.1' is not a share"),
    ],
)
def test_a_wrong_option_is_named(options: str, why: str) -> None:
    code, told = simulate(*options.split(), *SHORT)

    assert (code, why in told) == (2, True), told
