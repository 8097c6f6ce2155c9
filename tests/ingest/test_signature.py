"""Signatures of requests, held to those of botocore."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingest.aws.signature import signed

NOW = datetime(2026, 11, 30, 21, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("token", [None, "session/token=="])
@pytest.mark.parametrize(
    ("call", "signer"),
    [
        (("dynamodb", "POST", "/"), auth.SigV4Auth),
        (("s3", "PUT", "/bucket/a%20b/%C3%BC~.png"), auth.S3SigV4Auth),
    ],
)
def test_a_request_is_signed_as_botocore_signs_it(
    call: tuple[str, str, str], signer: Any, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, method, path = call
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW)
    fields = {"host": "a.example:4566", "content-type": "text/plain", "x-amz-target": "A.B"}
    credentials = Credentials("AKIA", "secret", token)
    request = AWSRequest(method, f"http://a.example:4566{path}", data=b"body", headers=fields)
    request.context["client_config"] = SimpleNamespace(s3=None)
    signer(credentials, service, "us-west-2").add_auth(request)
    ours = signed(
        credentials.get_frozen_credentials(),
        fields,
        b"body",
        path=path,
        method=method,
        service=service,
        region="us-west-2",
        now=NOW,
    )

    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {name.lower(): value for name, value in ours.items()} == theirs


def test_a_signature_bears_the_time_of_its_call() -> None:
    credentials = Credentials("AKIA", "secret").get_frozen_credentials()
    given = signed(credentials, {"host": "a"}, b"", service="sqs", region="r")
    made = datetime.strptime(given["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    assert abs((datetime.now(UTC) - made).total_seconds()) < 60
