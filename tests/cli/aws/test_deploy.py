"""`atelier aws deploy` on the embedded AWS; `cdk`, `npm` and `docker` are programs of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from cli.aws.tools import NPM
from models.settings import Settings
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import client, settings_of, unique, working
from tests.cli.aws.programs import Programs

PAINTER = [{"name": "painter", "type": "fake", "modelFilename": "shapes", "gpus": 0}]
REGION = ("-R", "us-east-1")
FAKE = ("-r", "painter", "-t", "fake")


@pytest.fixture
def name(programs: Programs) -> Iterator[str]:
    """Of an installation whose line runs as soon as its stack is made."""
    name = unique("d")
    with working(settings_of(name, modelsRuntime=PAINTER)) as programs.front:
        yield name


def test_from_nothing_to_a_picture_and_again(
    name: str, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    first = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")
    file = tmp_path / f"config.{name}.yaml"
    written, pushed = file.read_text(), programs.of("docker")
    again = atelier("deploy", "-n", name, "--yes")

    assert first.exit_code == 0, first.output
    assert again.exit_code == 0, again.output
    (picture, _) = tmp_path.glob("proof-*.png")
    Image.open(picture).load()
    assert file.read_text() == written
    assert "0 files" not in again.output
    assert [call[0] for call in pushed] == ["login", "build", "push", "build", "push"]
    assert programs.of("docker") == pushed
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]
    assert [call[1] for call in deploys] == [f"{name}Stack"] * 2
    assert all(call[call.index("--app") + 1].endswith('" -m cdk.app') for call in deploys)


def test_the_bucket_is_made_private_marked_and_filled(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    name = unique("d")
    result = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "--skip-proof")
    bucket = Settings.read(tmp_path / f"config.{name}.yaml").model_bucket
    s3 = client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    told = s3.get_bucket_notification_configuration(Bucket=bucket)

    assert result.exit_code == 0, result.output
    assert str(bucket).startswith(f"{name}-model-bucket-")
    assert "Stable-diffusion/shapes/model_index.json" in keys
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {"Key": "atelier:stack", "Value": name} in tags
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert "EventBridgeConfiguration" in told


def test_without_api_gateway_the_proof_goes_by_sns(
    name: str, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    programs.front = None
    result = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")

    assert result.exit_code == 0, result.output
    assert "one picture by SNS" in result.output
    assert list(tmp_path.glob("proof-*.png"))


def test_a_platform_that_makes_no_picture_is_not_called_deployed(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """There is a stack, and nothing that works on its queues."""
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, "--yes", "--timeout", "0.2")

    assert result.exit_code == 1
    assert "deployed, but no picture came" in result.output


def test_after_a_failure_the_next_run_goes_on(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    """And what an earlier stack left, whose names a new one could not make, is taken in."""
    name = unique("d")
    programs.fails = "cdk deploy"
    failed = atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "--skip-proof")
    programs.fails = ""
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    client("cloudformation").delete_stack(StackName=f"{name}Stack")
    again = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    deploys = [call for call in programs.of("cdk") if call[0] == "deploy"]

    assert failed.exit_code == 1
    assert "`cdk deploy` failed with status 1" in failed.output
    assert result.exit_code == again.exit_code == 0, again.output
    assert ["--no-rollback" in call for call in deploys] == [True, True, False]
    assert "--import-existing-resources" in deploys[2]


def test_all_that_is_missing_is_named_at_once_and_nothing_is_made(
    signed_in: Any, programs: Programs, atelier: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = unique("d")
    programs.cdk = "3.0.0"
    (programs.folder / "docker").unlink()
    monkeypatch.setenv("PATH", str(programs.folder))
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d")
    file = Path(f"config.{name}.yaml")
    file.write_text(file.read_text() + "vpc: {zones: [a, x]}\n")

    result = atelier("deploy", "-n", name, "--yes", "-T")

    assert result.exit_code == 2
    for missing in ("cdk: 3.0.0, not 2.1148.1", "zones: us-east-1x", "images: fake, head"):
        assert missing in result.output
    assert not programs.of("cdk")
    assert not [b for b in client("s3").list_buckets()["Buckets"] if b["Name"].startswith(name)]


def test_the_pinned_cdk_is_fetched_unless_told_not_to(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    programs.cdk = "3.0.0"
    atelier("deploy", "-n", name, *REGION, *FAKE, "--yes", "-T")
    skipped = programs.of(NPM)
    atelier("deploy", "-n", name, *REGION, *FAKE, "--yes")

    assert not skipped
    assert [call[0] for call in programs.of(NPM)] == ["ci"]


def test_an_image_without_a_base_is_asked_for(
    signed_in: Any, programs: Programs, atelier: Call
) -> None:
    name = unique("d")
    atelier("deploy", "-n", name, *REGION, "-t", "comfyui", "-d")
    file = Path(f"config.{name}.yaml")
    content = yaml.safe_load(file.read_text())
    content["modelsRuntime"][0]["gpus"] = 0  # the emulator knows no quotas
    file.write_text(yaml.safe_dump(content))
    result = atelier("deploy", "-n", name, "--yes", "--skip-proof")
    given = ("--base-image", "comfyui=mine/comfyui:1")
    again = atelier("deploy", "-n", name, "--yes", "--skip-proof", *given)
    builds = [call for call in programs.of("docker") if call[0] == "build"]

    assert result.exit_code == 2
    assert "--base-image comfyui=IMAGE:VERSION" in result.output
    assert len([call for call in programs.of("cdk") if call[0] == "deploy"]) == 1
    assert again.exit_code == 0, again.output
    assert "RUNTIME_IMAGE=mine/comfyui:1" in builds[0]


def test_no_means_no(signed_in: Any, programs: Programs, atelier: Call) -> None:
    result = atelier("deploy", "-n", unique("d"), *REGION, *FAKE, stdin="n\n")

    assert result.exit_code == 2
    assert "nothing was deployed" in result.output
    assert not programs.of("cdk")


def test_weights_go_into_a_bucket_that_the_stack_makes(
    signed_in: Any, programs: Programs, atelier: Call, tmp_path: Path
) -> None:
    """So not before it."""
    name = unique("d")
    (tmp_path / "models" / "Lora").mkdir(parents=True)
    (tmp_path / "models" / "Lora" / "a.safetensors").write_bytes(b"a")
    atelier("deploy", "-n", name, *REGION, *FAKE, "-d")
    file = tmp_path / f"config.{name}.yaml"
    file.write_text(file.read_text() + "storage: {createModelBucket: true}\n")
    given = ("--models", tmp_path / "models", "--yes", "--skip-proof")
    result = atelier("deploy", "-n", name, *given)
    bucket = Settings.read(file).model_bucket

    assert result.exit_code == 0, result.output
    assert "making bucket" not in result.output
    keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["Lora/a.safetensors"]
