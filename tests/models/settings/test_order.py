"""Replicas that admit fewer tasks than there may be ingest replicas are named."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from models.settings import Settings
from models.settings.order import out_of_order

LEAST: Any = {
    "stackName": "order",
    "checkpoints": ".",
    "modelsRuntime": [
        {"name": "wide", "type": "fake", "gpus": 0, "admit": 3},
        {"name": "narrow", "type": "fake", "gpus": 0, "admit": 2},
    ],
}
REMEDY = "a task may begin after later ones; set it to 3, or have fewer replicas of ingest"


@pytest.mark.parametrize(
    ("ingest", "bound"),
    [({"replicas": 3}, "replicas"), ({"minReplicas": 1, "maxReplicas": 3}, "maxReplicas")],
)
def test_one_that_admits_fewer_is_named(ingest: Any, bound: str) -> None:
    assert out_of_order(Settings.read(args=LEAST | {"ingest": ingest})) == [
        f"modelsRuntime[narrow].admit: fewer than ingest.{bound}: {REMEDY}"
    ]


@pytest.mark.parametrize("ingest", [{}, {"replicas": 2}])
def test_as_many_are_told_nothing(ingest: Any) -> None:
    assert out_of_order(Settings.read(args=LEAST | {"ingest": ingest})) == []


def test_the_command_that_checks_says_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(LEAST | {"ingest": {"replicas": 3}}))
    answer = CliRunner().invoke(app, ["config", "check", "--elsewhere", str(path)])

    assert answer.exit_code == 0
    assert "note: modelsRuntime[narrow].admit: fewer than" in " ".join(answer.output.split())
