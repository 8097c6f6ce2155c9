"""Helm itself on our chart, and the objects that it renders."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from cli.aws.tools import unpacked_program
from tests.charts.generated import CHART

Values = Mapping[str, Any]
Objects = Mapping[tuple[str, str], Mapping[str, Any]]

PROFILE = "gpu-nodes"
NAMESPACE = "atelier"
LEAST: Values = {
    "stackName": "atelier",
    "modelBucketArn": "arn:aws:s3:::weights",
    "modelsRuntime": [{"name": "sdruntime", "type": "diffusers"}],
}
"""Least configuration that the chart takes."""


class Refused(Exception):
    """Helm's refusal of the values, with its message."""


def values(config: Values = LEAST, **more: Values) -> Values:
    return {"config": config, "nodePools": {"instanceProfile": PROFILE}, **more}


def helm(verb: str, given: Values, *args: str) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "values.yaml"
        path.write_text(yaml.safe_dump(dict(given)))
        done = subprocess.run(
            [unpacked_program("helm"), *verb.split(), str(CHART), "--values", str(path), *args],
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": folder, "KUBECONFIG": f"{folder}/none"},
        )
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def rendered(given: Values, namespace: str = NAMESPACE) -> Objects:
    """Render the chart; return its objects by kind and name."""
    text = helm("template pictures", given, "--namespace", namespace)
    found = [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]
    objects = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(objects) == len(found)
    return objects
