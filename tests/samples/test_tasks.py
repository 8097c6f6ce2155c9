"""Sample tasks go to a runtime type each, and there is a configuration for each type."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from atelier import TaskRequest
from cli.main import app
from cli.payload import payload
from models.runtimes import TYPES
from models.settings import Settings
from tests.docs.configurations import furnish, without_gpus
from tests.docs.pages import ROOT

CONFIGS = sorted((ROOT / "samples" / "config").glob("*.yaml"))
TASKS = sorted((ROOT / "samples" / "tasks").rglob("*.json"))
PAGE = (ROOT / "samples" / "tasks" / "README.md").read_text()


def settings_of(type_: str) -> Iterator[Settings]:
    """The configurations whose runtime is of this type, the shipped one among them."""
    every = map(Settings.read, [*CONFIGS, ROOT / "config.yaml"])
    return (each for each in every if each.models_runtime[0].type == type_)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_is_right_where_its_reader_has_what_it_names(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = path.read_text().replace("/srv", str(tmp_path / "srv"))
    (tmp_path / "config.yaml").write_text(without_gpus(text))
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    furnish(yaml.safe_load(text), tmp_path)

    done = CliRunner().invoke(app, ["config", "check"])

    assert done.exit_code == 0, done.output


def test_there_is_a_configuration_for_each_type() -> None:
    assert {Settings.read(path).models_runtime[0].type for path in CONFIGS} == TYPES.keys()


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_task_is_one_that_its_folders_type_can_do(path: Path) -> None:
    task = payload(path.read_text()).task
    type_ = TYPES[path.parent.name]
    runtimes = [each.models_runtime[0] for each in settings_of(type_.name)]

    assert task.runtime in {None, *(runtime.name for runtime in runtimes)}
    assert task.kind in type_.kinds
    options = type_.options.read(runtimes[0].options, under="options")
    assert not type_.faults(task.kind, task.content, options)


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_page_names_each_task_in_the_rows_of_its_folder(path: Path) -> None:
    rows = re.search(rf"^\| \[{path.parent.name}\](?:.*\n)(?:\| \|.*\n)*", PAGE, re.MULTILINE)

    assert rows
    assert f"`{path.stem}`" in rows[0]


def test_a_task_is_recognized_by_its_shape() -> None:
    assert all(isinstance(payload(path.read_text()).task, TaskRequest) for path in TASKS)
