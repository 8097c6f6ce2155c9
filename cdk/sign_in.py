"""Sign-in at the load balancer: by Cognito, or by a provider of OpenID Connect."""

from hashlib import sha256

from aws_cdk import RemovalPolicy, SecretValue, Stack
from aws_cdk.aws_cognito import (
    CognitoDomainOptions,
    Mfa,
    MfaSecondFactor,
    OAuthFlows,
    OAuthScope,
    OAuthSettings,
    PasswordPolicy,
    SignInAliases,
    UserPool,
)
from aws_cdk.aws_elasticloadbalancingv2 import ListenerAction
from aws_cdk.aws_elasticloadbalancingv2_actions import AuthenticateCognitoAction
from constructs import Construct

from cdk.nag import acknowledge
from models.settings.browser_entry import Oidc

_PASSWORD_LENGTH = 12
"""Least length of a password; Cognito's own default is 8."""
_CALLBACK_PATH = "oauth2/idpresponse"
"""Path to which the load balancer has people sent back after the sign-in; AWS fixed it."""


def authenticate_oidc(oidc: Oidc, then: ListenerAction) -> ListenerAction:
    """Return the listener's action that lets in whoever the OpenID Connect provider knows."""
    return ListenerAction.authenticate_oidc(
        issuer=oidc.issuer,
        authorization_endpoint=oidc.authorization_endpoint,
        token_endpoint=oidc.token_endpoint,
        user_info_endpoint=oidc.user_info_endpoint,
        client_id=oidc.client_id,
        client_secret=SecretValue.secrets_manager(oidc.client_secret_arn),
        next=then,
    )


class CognitoSignIn(Construct):
    """Cognito user pool without self-registration, deleted with the stack."""

    def __init__(self, scope: Construct, name: str, *, domain: str, installation: str) -> None:
        super().__init__(scope, name)
        self.pool = UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            sign_in_aliases=SignInAliases(email=True),
            mfa=Mfa.OPTIONAL,
            mfa_second_factor=MfaSecondFactor(otp=True, sms=False),
            password_policy=PasswordPolicy(
                min_length=_PASSWORD_LENGTH,
                require_digits=True,
                require_lowercase=True,
                require_symbols=True,
                require_uppercase=True,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.pool, "COG2", "Who signs in may have a second factor; who deploys decides."
        )
        paid = "What the plan above offers costs by the person, and nobody can sign up here."
        acknowledge(self.pool, "COG3", paid)
        acknowledge(self.pool, "COG8", paid)
        self._client = self.pool.add_client(
            "Balancer",
            # A load balancer takes no client without a secret.
            generate_secret=True,
            prevent_user_existence_errors=True,
            o_auth=OAuthSettings(
                flows=OAuthFlows(authorization_code_grant=True),
                scopes=[OAuthScope.OPENID],
                callback_urls=[f"https://{domain}/{_CALLBACK_PATH}"],
            ),
        )
        # Unique in a region among all accounts; Cognito refuses "aws" in it, as "drawshop" has.
        digest = sha256(installation.encode()).hexdigest()[:12]
        unique = f"people-{digest}-{Stack.of(self).account}"
        self._domain = self.pool.add_domain(
            "Domain", cognito_domain=CognitoDomainOptions(domain_prefix=unique)
        )

    def authenticate(self, then: ListenerAction) -> ListenerAction:
        """Return the listener's action that lets in whoever is in the pool."""
        return AuthenticateCognitoAction(
            user_pool=self.pool,
            user_pool_client=self._client,
            user_pool_domain=self._domain,
            next=then,
        )
