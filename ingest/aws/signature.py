"""Signature of a request to AWS, version 4, without the SDK's machinery."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from botocore.credentials import ReadOnlyCredentials

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    credentials: ReadOnlyCredentials,
    fields: Mapping[str, str],
    body: bytes,
    *,
    path: str = "/",
    method: str = "POST",
    service: str,
    region: str,
    now: datetime | None = None,
) -> dict[str, str]:
    """Return the header fields of a request with those that sign it.

    ``fields``: names in lower case, ``host`` among them; all are signed. ``path``: as it is sent,
    quoted, without a query. ``now``: in UTC; the time of the call if it is not given.
    """
    stamp = f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    digest = sha256(body).hexdigest()
    headers = {**fields, "x-amz-date": stamp}
    if service == "s3":
        headers["x-amz-content-sha256"] = digest
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    signed_names = ";".join(names)
    request = f"{method}\n{path}\n\n{lines}\n{signed_names}\n{digest}"
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
    key = _key(credentials.secret_key or "", stamp[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope},"
        f" SignedHeaders={signed_names}, Signature={signature}"
    )
    return headers


@lru_cache(maxsize=16)
def _key(secret: str, *scope: str) -> bytes:
    """Derive the key of a day, a region and a service."""
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
