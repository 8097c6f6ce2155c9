"""Names of AWS calls: service and operation of an HTTP request, as AWS spells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

SERVICES = ("s3", "sqs", "sns", "dynamodb")
"""Services that the platform calls, by botocore's names."""

_OBJECT = {
    "GET": "GetObject",
    "PUT": "PutObject",
    "HEAD": "HeadObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_BUCKET = {
    "GET": "ListObjectsV2",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
    "DELETE": "DeleteBucket",
    "POST": "DeleteObjects",
}


@dataclass(frozen=True)
class AwsCall:
    """Service and operation of a call."""

    service: str
    operation: str


def aws_call(
    service: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> AwsCall:
    """Name the operation of a request to a service; ``target``: path and query.

    JSON services name it in a header, SNS in its form, and of S3 method and path tell.
    """
    if service == "s3":
        path = urlsplit(target).path.strip("/")
        return AwsCall(service, (_OBJECT if "/" in path else _BUCKET).get(method, method))
    if named := headers.get("x-amz-target"):
        return AwsCall(service, named.rpartition(".")[2])
    form = parse_qs(body.decode(errors="replace"))
    return AwsCall(service, form.get("Action", ["unknown"])[0])
