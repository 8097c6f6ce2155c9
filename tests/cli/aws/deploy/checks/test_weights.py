"""Checks of the model bucket: its key, and the checkpoints that runtimes start with."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.aws.deploy.checks.finding import Finding
from cli.aws.deploy.checks.weights import weights
from cli.aws.sdk import Aws
from models.settings import Settings
from tests.cli.aws.deploy.checks.conftest import REGION, runtime, wanted
from tests.cli.aws.platform import file_of

BUCKET = "atelier-models"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture
def s3(moto: None) -> Any:
    """S3 with a model bucket that existed before."""
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


def test_weights_in_a_folder_are_no_use_to_nodes(aws: Aws) -> None:
    there = {"region": REGION, "account": "123456789012"}
    given = file_of("atelier", aws=there, checkpoints="models") | {"modelBucketArn": None}

    assert [one.state for one in weights(aws, Settings.read(args=given), None)] == ["missing"]


@pytest.mark.parametrize(
    "key",
    [
        "Stable-diffusion/xl.safetensors",
        "Stable-diffusion/new/xl.safetensors",
        "Stable-diffusion/xl/model_index.json",
    ],
)
@pytest.mark.parametrize("asked", ["xl", "xl [0123456789]"])
def test_a_checkpoint_is_found_as_the_runtime_finds_it(
    aws: Aws, s3: Any, key: str, asked: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=key)

    assert checkpoint(aws, modelFilename=asked).state == "there"


def test_a_checkpoint_that_the_bucket_lacks_is_missing_beside_those_it_has(
    aws: Aws, s3: Any
) -> None:
    for key in ("Stable-diffusion/xl.safetensors", "Lora/shapes.safetensors"):
        s3.put_object(Bucket=BUCKET, Key=key)
    found = checkpoint(aws, modelFilename="shapes")

    assert found.state == "missing"
    assert found.text.endswith("but xl.safetensors")


def test_without_a_name_any_checkpoint_will_do(aws: Aws, s3: Any) -> None:
    none = checkpoint(aws)
    s3.put_object(Bucket=BUCKET, Key="Stable-diffusion/xl.safetensors")

    assert none.state == "missing"
    assert checkpoint(aws).state == "there"


def test_what_is_brought_along_counts(aws: Aws, s3: Any, tmp_path: Path) -> None:
    (tmp_path / "Stable-diffusion").mkdir()
    (tmp_path / "Stable-diffusion" / "xl.safetensors").touch()

    assert checkpoint(aws, tmp_path, modelFilename="xl").state == "there"
    assert checkpoint(aws, modelFilename="xl").state == "missing"


def test_a_bucket_that_is_to_be_made_gets_the_sample(aws: Aws) -> None:
    assert checkpoint(aws, modelFilename="shapes").state == "there"
    assert checkpoint(aws, modelFilename="xl").state == "missing"


def test_an_image_of_sdwebui_may_have_its_own(aws: Aws, s3: Any) -> None:
    assert checkpoint(aws, type="sdwebui", modelFilename="xl").state == "note"


@pytest.mark.parametrize(
    "more",
    [
        {"type": "comfyui", "modelFilename": "xl"},
        {"modelFilename": "xl", "pod": {"existingClaim": "own"}},
    ],
)
def test_a_runtime_that_loads_none_of_it_is_not_asked_about(
    aws: Aws, s3: Any, more: dict[str, Any]
) -> None:
    (bucket,) = weights(aws, wanted(modelsRuntime=[runtime(**more)]), None)

    assert (bucket.name, bucket.state) == ("model bucket", "there")


def test_a_key_that_is_not_in_the_settings_is_missing(aws: Aws, s3: Any) -> None:
    encrypted_with(s3, KEY)
    found = {one.name: one for one in weights(aws, wanted(), None)}["model bucket's key"]

    assert (found.state, found.text) == ("missing", KEY)
    assert "storage.modelBucketKeyArn" in found.remedy


def test_a_key_of_awss_own_or_in_the_settings_is_fine(aws: Aws, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="Stable-diffusion/xl.safetensors")
    encrypted_with(s3, KEY)
    named = list(weights(aws, wanted(storage={"modelBucketKeyArn": KEY}), None))
    encrypted_with(s3, f"arn:aws:kms:{REGION}:123456789012:alias/aws/s3")
    awss = list(weights(aws, wanted(), None))

    assert [one.state for one in (*named, *awss)] == ["there"] * 4


def checkpoint(aws: Aws, folder: Path | None = None, **more: Any) -> Finding:
    *_, found = weights(aws, wanted(modelsRuntime=[runtime(**more)]), folder)
    assert found.name == "checkpoint of painter"
    return found


def encrypted_with(s3: Any, key: str) -> None:
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
