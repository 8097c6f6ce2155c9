"""`atelier aws test`, against a platform that runs for real on the embedded AWS."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from cli.aws.proof.samples import sample_tasks
from cli.aws.proof.verdict import ResultChecker
from cli.aws.sdk import Aws
from models.settings import Settings
from serve_app.local.emulator import EmbeddedAws
from tests.cli.aws.conftest import Call
from tests.cli.aws.platform import (
    KEY,
    client,
    file_of,
    make_stack,
    settings_of,
    unique,
    working,
    write,
)


def _said(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_every_kind_is_sent_to_every_runtime_and_looked_at(
    platform: Path, signed_in: EmbeddedAws, atelier: Call, tmp_path: Path
) -> None:
    result = atelier("test", "--config", platform, "--json", "--save", tmp_path / "pictures")
    said = _said(result.stdout)

    assert result.exit_code == 0, result.output
    assert [one["check"] for one in said] == [
        "no key, no entry",
        "v1alpha2 painter text-to-image",
        "v1alpha2 painter image-to-image",
        "v1alpha2 painter extra-single-image",
        "v1alpha1 painter text-to-image",
        "v1alpha1 painter image-to-image",
        "v1alpha2 plain text-to-image",
        "v1alpha2 plain image-to-image",
        "v1alpha2 plain extra-single-image",
    ]
    assert all(one["right"] for one in said)
    saved = list((tmp_path / "pictures").iterdir())
    assert len(saved) == 8
    Image.open(saved[0]).load()


def test_the_key_is_never_told(platform: Path, signed_in: EmbeddedAws, atelier: Call) -> None:
    result = atelier("test", "--config", platform, "--runtime", "plain", "--api", "v1alpha2")

    assert result.exit_code == 0, result.output
    assert KEY not in result.output


def test_nothing_of_a_test_is_left(platform: Path, signed_in: EmbeddedAws, atelier: Call) -> None:
    atelier("test", "--config", platform, "--runtime", "plain", "--api", "v1alpha2")
    queues = client("sqs").list_queues().get("QueueUrls", [])
    subscriptions = client("sns").list_subscriptions()["Subscriptions"]

    assert not [url for url in queues if "-inbox-" in url]
    assert not [one for one in subscriptions if "-inbox-" in one["Endpoint"]]


def test_a_front_that_lets_everybody_in_is_found(
    platform: Path, signed_in: EmbeddedAws, atelier: Call, tmp_path: Path
) -> None:
    """The front of this stack answers 200 to whoever asks."""
    settings = settings_of(unique(), apiKeys=[{"name": "a", "key": "no-key-of-this-platform"}])
    with working(settings) as url:
        make_stack(settings, front=url)
        path = write(tmp_path / "open.yaml", file_of(settings.stack_name))

        result = atelier("test", "--config", path, "-r", "plain", "--timeout", "0.2", "--json")

    first = _said(result.stdout)[0]
    assert result.exit_code == 1
    assert first["wrong"] == ["a task was taken without a key, or with a wrong one"]


def test_without_api_gateway_tasks_go_by_sns(
    signed_in: EmbeddedAws, atelier: Call, tmp_path: Path
) -> None:
    """The stack has no `FrontApiEndpoint`, as in China."""
    settings = settings_of(unique())
    path = write(tmp_path / "china.yaml", file_of(settings.stack_name))
    with working(settings):
        make_stack(settings)

        result = atelier("test", "--config", path, "--runtime", "painter", "--json")

    said = _said(result.stdout)
    assert result.exit_code == 0, result.output
    assert len(said) == 5
    assert all(one["right"] for one in said)


def test_a_task_that_does_not_end_is_wrong(installation: Settings, atelier: Call) -> None:
    args = ("-n", installation.names.stack, "-r", "plain", "--api", "v1alpha2", "--timeout", "0.2")
    result = atelier("test", *args)

    assert result.exit_code == 1
    assert "has not ended within 0 s" in result.output


def test_a_picture_that_is_not_there_or_is_none_is_wrong(signed_in: EmbeddedAws) -> None:
    """The notification may say whatever it likes."""
    bucket = unique()
    client("s3").create_bucket(Bucket=bucket)
    runtime = settings_of(unique()).models_runtime[1]
    order = next(sample_tasks(runtime, "v1alpha2", "run"))
    folder = f"atelier-test/{order.id}"
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key=f"{folder}/no.png", Body=b"no", ContentType="image/png")
    s3.put_object(Bucket=bucket, Key="elsewhere/a.out", Body=b"no JSON")
    told = {
        "status": "completed",
        "result": True,
        "runtime": "plain",
        "image_url": [f"s3://{bucket}/{folder}/no.png"],
        "output_url": f"s3://{bucket}/elsewhere/a.out",
    }
    checker = ResultChecker(Aws("us-east-1"), bucket)
    wrong = list(checker.faults(order, {"output_location": "s3://other/place"}, told))
    failed = list(checker.faults(order, {}, {**told, "status": "failed", "result": False}))
    gone = {**told, "image_url": [f"s3://{bucket}/{folder}/gone.png"]}
    with pytest.raises(ClientError, match="NoSuchKey"):
        list(checker.faults(order, {}, gone))

    assert [text.partition(" ")[2] for text in wrong] == [
        f"is s3://other/place, not s3://{bucket}/{folder}",
        "is no picture",
        f"is not in s3://{bucket}/{folder}",
        "is not JSON",
    ]
    assert failed == ["it ended as failed: no reason was given"]
    assert "no picture was made" in list(checker.faults(order, {}, {**told, "image_url": []}))


def test_an_unknown_runtime_is_named_with_those_there_are(
    installation: Settings, atelier: Call
) -> None:
    result = atelier("test", "-n", installation.names.stack, "--runtime", "plane")

    assert result.exit_code == 2
    assert "no runtime plane; there is: painter, plain" in result.output


def test_what_is_not_deployed_is_told(
    signed_in: EmbeddedAws, atelier: Call, tmp_path: Path
) -> None:
    name = unique()
    write(tmp_path / f"config.{name}.yaml", file_of(name))

    result = atelier("test", "-n", name)

    assert result.exit_code == 4
    assert f"there is no stack {name}Stack in us-east-1; `atelier aws deploy` makes it" in (
        result.output
    )
