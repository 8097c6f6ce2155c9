"""Region that has what is pinned: answers to preflight calls that no emulator knows."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from models.addons import ADDONS

Answer = Callable[..., AWSResponse | None]
_BOTTLEROCKET = "/aws/service/bottlerocket/"
_ASKED = "Filter.1.Value."
_KEY = "<GetEbsDefaultKmsKeyIdResponse><kmsKeyId>alias/aws/ebs</kmsKeyId>"
_KEY += "</GetEbsDefaultKmsKeyIdResponse>"


def _addons(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    (name,) = parse_qs(urlsplit(request.url).query)["addonName"]
    offered = [{"addonVersion": ADDONS[name]}]
    return _said(request, json.dumps({"addons": [{"addonVersions": offered}]}))


def _parameter(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
    """Answer for parameters of AMIs alone; the emulator has all others."""
    assert isinstance(request.body, bytes | str)
    name = json.loads(request.body)["Name"]
    if not name.startswith(_BOTTLEROCKET):
        return None
    return _said(request, json.dumps({"Parameter": {"Name": name, "Value": "ami-0a"}}))


def _default_key(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    return _said(request, _KEY)


def _offerings(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    """Answer that each type is offered in the region's first three zones."""
    assert isinstance(request.body, bytes | str)
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    asked = [value for name, (value,) in parse_qs(body).items() if name.startswith(_ASKED)]
    region = str(request.headers["Authorization"]).split("/")[2]
    items = "".join(
        f"<item><instanceType>{kind}</instanceType><location>{region}{zone}</location></item>"
        for kind in asked
        for zone in "abc"
    )
    called = "DescribeInstanceTypeOfferingsResponse"
    offered = f"<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>"
    return _said(request, f"<{called}>{offered}</{called}>")


HANDLERS: list[tuple[str, Answer]] = [
    ("before-send.ec2.DescribeInstanceTypeOfferings", _offerings),
    ("before-send.eks.DescribeAddonVersions", _addons),
    ("before-send.ssm.GetParameter", _parameter),
    ("before-send.ec2.GetEbsDefaultKmsKeyId", _default_key),
]
"""Event handlers in botocore's form."""


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _said(request: AWSPreparedRequest, body: str) -> AWSResponse:
    return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(body.encode()))
