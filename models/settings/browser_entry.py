"""Settings of the browser entry, which only infrastructure reads."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from models.settings.base import Group
from models.settings.values import Arn


class Oidc(Group):
    """OpenID Connect provider that signs people in."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    client_id: str
    client_secret_arn: Arn
    """ARN of the client's secret in Secrets Manager."""


class BrowserEntry(Group):
    """Browser entry: CloudFront to an internal load balancer to the ingress."""

    enabled: bool = False
    domain: str | None = None
    certificate_arn: Annotated[str, Field(pattern=r"^arn:aws:acm:us-east-1:.+")] | None = None
    """ARN of the certificate of ``domain`` in us-east-1, where CloudFront looks for it."""
    listener_certificate_arn: Annotated[str, Field(pattern=r"^arn:aws:acm:.+")] | None = None
    """ARN of the load balancer's certificate, of ``domain`` too, in the region; a sign-in needs
    it."""
    sign_in: Literal["none", "cognito", "oidc"] = "none"
    oidc: Oidc | None = None
    waf: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.domain is None) != (self.certificate_arn is None):
            raise ValueError("domain and certificateArn go together")
        if self.listener_certificate_arn and self.domain is None:
            raise ValueError(
                "listenerCertificateArn needs domain: CloudFront asks the load balancer for the"
                " host that people asked for, and nobody has a certificate of CloudFront's own"
            )
        if (self.sign_in == "oidc") != (self.oidc is not None):
            raise ValueError("signIn: oidc and oidc go together")
        if self.sign_in != "none" and not self.listener_certificate_arn:
            raise ValueError(
                "signIn needs domain, certificateArn and listenerCertificateArn: "
                "a load balancer signs people in over HTTPS only"
            )
        return self
