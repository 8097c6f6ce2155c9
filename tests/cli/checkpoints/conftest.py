import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from serve_app.local.emulator import EmbeddedAws
from tests.cli.checkpoints.s3_proxy import S3Proxy, s3_proxy

PREFIX = "my models"


@pytest.fixture
def proxy(embedded_aws: EmbeddedAws) -> Iterator[S3Proxy]:
    with s3_proxy(embedded_aws.environment["AWS_ENDPOINT_URL"]) as proxy:
        yield proxy


@pytest.fixture
def bucket(
    embedded_aws: EmbeddedAws, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """Home in a bucket of the embedded AWS, behind the proxy, for this process and its children."""
    for name, value in embedded_aws.environment.items():
        monkeypatch.setenv(name, value)
    name = f"t{uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert os.environ["AWS_ACCESS_KEY_ID"]
    return f"s3://{name}/{PREFIX}"
