"""Retained resources: an installation's own, and those that only bear its names."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cli.aws.repositories import Repositories
from cli.aws.retained import Retained, retained
from cli.aws.sdk import Aws
from models.settings import Settings
from serve_app.local.emulator import provision_sync
from tests.cli.aws.platform import client, file_of, made, settings_of, unique

REGION = "us-east-1"


def _kept(settings: Settings) -> dict[tuple[str, str], Retained]:
    return {(one.kind, one.name): one for one in retained(Aws(REGION), settings)}


def test_what_the_stack_made_is_ours(signed_in: Any) -> None:
    settings = settings_of(unique())
    provision_sync(settings)
    before = [one.name for one in _kept(settings).values() if one.foreign]
    made(settings)
    kept = _kept(settings)

    assert before == [settings.names.output_bucket, settings.names.ledger]
    assert not [one for one in kept.values() if one.foreign]
    assert kept["table", settings.names.ledger].erasable
    assert not kept["bucket", str(settings.model_bucket)].erasable


def test_a_model_bucket_that_the_stack_is_to_make_must_be_ours(signed_in: Any) -> None:
    settings = settings_of(unique(), storage={"createModelBucket": True})
    client("s3").create_bucket(Bucket=settings.model_bucket)
    (kept,) = _kept(settings).values()

    assert kept.foreign
    assert not kept.erasable


def test_a_model_bucket_that_the_stack_made_and_let_go_is_ours(signed_in: Any) -> None:
    name = unique()
    made(settings_of(name, storage={"createModelBucket": True}))
    settings = settings_of(name)

    assert _kept(settings)["bucket", str(settings.model_bucket)].erasable


def test_a_bucket_that_nobody_here_may_look_into_stays(
    moto: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Aws(REGION)

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    monkeypatch.setattr(aws.client("s3"), "head_bucket", refused)
    kept = list(retained(aws, Settings.read(args=file_of("Studio"))))

    assert Retained("bucket", "studio-models", erasable=False, of_stack=False) in kept


def test_the_repository_of_a_type_that_was_removed_is_kept(moto: None) -> None:
    settings = Settings.read(args=file_of("Studio"))
    for kind in ("fake", "comfyui"):
        for _ in range(2):
            Repositories(Aws(REGION), settings).make(kind)
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName="other/atelier-fake")
    kept = [one for one in _kept(settings).values() if one.kind == "repository"]

    assert sorted(kept, key=lambda one: one.name) == [
        Retained("repository", "studio/atelier-comfyui", of_stack=False),
        Retained("repository", "studio/atelier-fake"),
    ]
