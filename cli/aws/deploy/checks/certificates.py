"""Check the browser entry's certificates in ACM; the settings check their regions."""

from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.sdk import Aws, suppressed
from models.settings import Settings

_REMEDY = "ask for one in ACM, with the domain's DNS record, and wait until it is issued"


def certificates(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that each certificate exists, is issued, and names the browser entry's domain."""
    front = settings.front
    if not front.enabled or front.domain is None:
        return
    arns = {
        "front.certificateArn": front.certificate_arn,
        "front.listenerCertificateArn": front.listener_certificate_arn,
    }
    for name, arn in arns.items():
        if arn is not None:
            fault = _fault(aws, arn, front.domain)
            yield Finding(name, "missing", fault, _REMEDY) if fault else Finding(name, "there", arn)


def _fault(aws: Aws, arn: str, domain: str) -> str | None:
    # In the region of the ARN: CloudFront takes certificates of us-east-1 alone.
    acm = Aws(arn.split(":")[3], aws.profile).client("acm")
    with suppressed("ResourceNotFoundException"):
        certificate = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        if certificate["Status"] != "ISSUED":
            return f"{arn} is {certificate['Status']}"
        names = {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", ())}
        # A wildcard stands for one label: `*.example.org` is no name of a.b.example.org.
        if names.isdisjoint({domain, f"*.{domain.partition('.')[2]}"}):
            return f"{arn} is of {', '.join(sorted(names))}, not of {domain}"
        return None
    return f"{arn} is not there"
