"""Checks of the browser entry's certificates in ACM."""

from typing import Any

import boto3
import pytest
from moto.acm.models import acm_backends

from cli.aws.deploy.checks.certificates import certificates
from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws
from tests.cli.aws.deploy.checks.conftest import REGION, wanted

DOMAIN = "draw.example.org"


@pytest.mark.parametrize("named", [DOMAIN, "*.example.org"])
def test_certificates_of_the_domain_are_there(aws: Aws, named: str) -> None:
    found = look(aws, issued("us-east-1", named), issued(REGION, named))

    assert [one.state for one in found] == ["there", "there"]
    assert not [*certificates(aws, wanted())]


def test_each_certificate_that_cannot_be_used_is_told(aws: Aws) -> None:
    unknown = "arn:aws:acm:us-east-1:123456789012:certificate/0"
    waiting = issued(REGION, DOMAIN, status="PENDING_VALIDATION")
    (front, listener) = look(aws, unknown, waiting)

    assert (front.name, front.state) == ("front.certificateArn", "missing")
    assert front.text == f"{unknown} is not there"
    assert (listener.state, listener.text) == ("missing", f"{waiting} is PENDING_VALIDATION")


def test_a_certificate_of_another_domain_is_refused(aws: Aws) -> None:
    other = issued("us-east-1", "*.draw.example.org")
    (found,) = look(aws, other, None)

    assert found.text == f"{other} is of *.draw.example.org, not of {DOMAIN}"


def issued(region: str, domain: str, status: str = "ISSUED") -> str:
    acm = boto3.client("acm", region_name=region)
    arn = str(acm.request_certificate(DomainName=domain)["CertificateArn"])
    acm_backends["123456789012"][region]._certificates[arn].status = status  # noqa: SLF001
    return arn


def look(aws: Aws, certificate: str, listener: str | None) -> list[Finding]:
    front: dict[str, Any] = {"enabled": True, "domain": DOMAIN, "certificateArn": certificate}
    return [*certificates(aws, wanted(front={**front, "listenerCertificateArn": listener}))]
