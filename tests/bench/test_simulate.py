"""Options of the simulation's command: each counts, and a wrong one is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bench.simulate import main
from cli.cost.simulated import Simulated
from tests.bench.short import ROOT

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


def process(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own, since it makes more of them."""
    return subprocess.run(
        [sys.executable, "-m", "bench.simulate", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_a_run_without_an_end_is_told_to_have_none() -> None:
    told = process("--world", "boot_seconds=1e6", "--policy", "KEDA", *SHORT)

    assert (told.returncode, "comes to no end" in told.stderr) == (2, True)


def test_a_configurations_replicas_are_kept_and_its_bounds_are_told() -> None:
    of_other = ("--config", "config.yaml", "--runtime", "other", "--json", "runs.json")
    told = process(*of_other, *SHORT)
    outcome = Simulated.model_validate_json(Path("runs.json").read_bytes())
    policies = outcome.parameters["policies"]
    runs = {run.policy: run for run in outcome.runs}

    assert told.returncode == 0, told.stderr
    assert policies["as configured"]["rules"]["maxReplicas"] == 7
    assert outcome.parameters["most"] == {"burst": 100}
    assert runs["as configured"].at_once == 7
    assert runs["KEDA"].at_once == 100


def test_each_router_runs_each_policy_and_figures_of_the_plain_one_have_the_policys_name() -> None:
    routers = ("--router", "affinity", "--router", "first come")
    told = process(*routers, "--policy", "KEDA", "--json", "runs.json", *SHORT)
    runs = Simulated.model_validate_json(Path("runs.json").read_bytes()).runs

    assert told.returncode == 0, told.stderr
    assert [run.policy for run in runs] == ["KEDA, affinity", "KEDA"]
    assert runs[0].tasks == runs[1].tasks


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--trace nosuch", "--trace nosuch: there are steady"),
        ("--policy nosuch", "--policy nosuch: there are queueLength 10"),
        ("--router nosuch", "--router nosuch: there are first come, affinity"),
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
