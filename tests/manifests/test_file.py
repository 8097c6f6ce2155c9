"""`ray-cluster.yaml`, and what prints it."""

import subprocess
import sys
from pathlib import Path

import yaml

from cdk.manifests.__main__ import render_file
from cdk.manifests.sample import EDIT, INSTANCE_PROFILE
from cdk.manifests.text import render
from tests.manifests.test_schemas import FILE
from tests.manifests.world import made

ROOT = FILE.parent


def test_the_file_is_what_the_builder_prints() -> None:
    assert FILE.read_text() == render_file(None, INSTANCE_PROFILE)


def test_each_mark_stands_where_there_is_something_to_edit() -> None:
    lines = [line for line in FILE.read_text().splitlines() if "# EDIT: " in line]

    for value, what in EDIT.items():
        assert any(value in line and what in line for line in lines)


def test_no_example_is_left_without_a_mark() -> None:
    examples = ("111122223333", "us-east-1", "atelier-models")
    found = [line for line in FILE.read_text().splitlines() if any(e in line for e in examples)]

    assert found
    assert all("# EDIT: " in line for line in found)


def test_what_is_printed_is_what_was_built() -> None:
    objects = made()

    assert list(yaml.safe_load_all(render(objects))) == objects


def test_it_prints_the_objects_of_a_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "{stackName: mine, modelBucketArn: 'arn:aws:s3:::mine',"
        " modelsRuntime: [{name: a, type: fake}]}"
    )
    run = _run(str(config), "--instance-profile", "theirs")

    printed = list(yaml.safe_load_all(run.stdout))
    assert printed[-1]["metadata"]["name"] == "mine"
    assert printed[0]["spec"]["instanceProfile"] == "theirs"
    assert "EDIT" not in run.stdout


def test_it_says_what_cannot_work(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "{stackName: mine, modelBucketArn: 'arn:aws:s3:::mine',"
        " modelsRuntime: [{name: a, type: fake, gpus: 8, nodes: {maxGpus: 5}}]}"
    )
    run = _run(str(config))

    assert run.returncode == 1
    assert "group-can-start: a-spot: maxGpus is less than the GPUs of one replica" in run.stderr


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cdk.manifests", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
