"""AWS SDK: one session, a client for each service, and its errors with a remedy and an exit code.

AwsError                    AWS refused, or a step failed
├── RequirementMissing      something that the step needs is missing; nothing was done
├── NotSignedIn             credentials are missing or have expired
├── NotDeployed             there is no such stack, or no such cluster
│   └── ObjectMissing       the cluster has no such object
├── Forbidden               AWS does not let this person do it
├── Conflict                somebody else has changed it meanwhile
├── NotReachable            AWS, or the cluster, does not answer
└── NotInTime               it has not happened in time; it may yet
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore import exceptions as sdk
from botocore.config import Config

from atelier import AtelierError
from cli.exit_codes import ENDED_BADLY, NOT_FOUND, TIMED_OUT, UNAUTHORIZED, UNREACHABLE, USAGE

_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}
)
_NOT_SIGNED_IN = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# "403" is the code of an answer to HEAD, which has no body.
NOT_ALLOWED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
_SIGN_IN = "sign in (`aws sso login`, or AWS_ACCESS_KEY_ID), or name a profile with --profile"


class AwsError(AtelierError):
    """AWS refused, or a step failed."""

    code = ENDED_BADLY


class RequirementMissing(AwsError):
    """Something that the step needs is missing."""

    code = USAGE


class NotSignedIn(AwsError):
    """Credentials are missing or have expired."""

    code = UNAUTHORIZED


class NotDeployed(AwsError):
    """The stack does not exist."""

    code = NOT_FOUND


class ObjectMissing(NotDeployed):
    """The cluster has no such object."""


class Forbidden(AwsError):
    """AWS does not let this person do it."""


class Conflict(AwsError):
    """Somebody else has changed it meanwhile."""


class NotReachable(AwsError):
    """AWS, or the cluster, does not answer."""

    code = UNREACHABLE


class NotInTime(AwsError):
    """The deadline passed before the expected state was reached."""

    code = TIMED_OUT


@contextmanager
def translated() -> Iterator[None]:
    """Translate errors of the AWS SDK within the block.

    Raises:
        AwsError: or one of its subclasses.
    """
    try:
        yield
    except sdk.ClientError as exc:
        raise _translation(exc) from exc
    except sdk.WaiterError as exc:
        raise NotInTime(f"{exc.kwargs['name']}: {exc.kwargs['reason']}") from exc
    except (
        sdk.NoCredentialsError,
        sdk.PartialCredentialsError,
        sdk.ProfileNotFound,
        sdk.CredentialRetrievalError,
        sdk.TokenRetrievalError,
        sdk.SSOError,
    ) as exc:
        raise NotSignedIn(f"{exc}; {_SIGN_IN}") from exc
    except sdk.NoRegionError as exc:
        raise RequirementMissing("no region; name one with --region") from exc
    except (sdk.ConnectionError, sdk.HTTPClientError) as exc:
        raise NotReachable(f"AWS does not answer: {exc}") from exc
    except sdk.BotoCoreError as exc:
        # The base of most of those above, hence after them.
        raise AwsError(str(exc)) from exc


@contextmanager
def suppressed(*codes: str) -> Iterator[None]:
    """Suppress errors of the AWS SDK with these codes, such as ``NoSuchBucket``, in the block."""
    try:
        yield
    except sdk.ClientError as exc:
        if code_of(exc) not in codes:
            raise


def code_of(error: sdk.ClientError) -> str:
    """Return AWS's error code, such as ``NoSuchBucket``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _translation(error: sdk.ClientError) -> AwsError:
    code, call = code_of(error), error.operation_name
    if code in _NOT_SIGNED_IN:
        return NotSignedIn(f"{call}: {code}; {_SIGN_IN}")
    if code in NOT_ALLOWED:
        return Forbidden(f"not allowed: {call}; ask for it, or use another --profile")
    return AwsError(f"{call}: {error.response.get('Error', {}).get('Message') or code}")


@dataclass(frozen=True)
class Caller:
    """Identity of who is signed in."""

    account: str
    arn: str


class Aws:
    """AWS in one region; ``AWS_ENDPOINT_URL`` names an endpoint other than AWS's."""

    def __init__(self, region: str | None, profile: str | None = None) -> None:
        self.session = boto3.Session(region_name=region, profile_name=profile)
        self.profile = profile
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str | None:
        return self.session.region_name

    @property
    def partition(self) -> str:
        """Partition of the region, such as ``aws-cn`` in China."""
        return self.session.get_partition_for_region(str(self.region))

    @cached_property
    def caller(self) -> Caller:
        identity = self.client("sts").get_caller_identity()
        return Caller(identity["Account"], identity["Arn"])

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables that give another process the same region and caller."""
        region = str(self.region)
        named = {"AWS_PROFILE": self.profile} if self.profile else {}
        return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **named}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=_CONFIG)
        return self._clients[service]

    def paginated(self, service: str, call: str, key: str, **given: Any) -> Iterator[Any]:
        """Yield the items under this key from all pages of an answer."""
        for page in self.client(service).get_paginator(call).paginate(**given):
            yield from page.get(key, ())


def admin_of(aws: Aws) -> str | None:
    """Return the IAM user or role that EKS should know as administrator; None for the root user."""
    kind, _, rest = aws.caller.arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        # STS leaves out the role's path, without which EKS knows no such role; IAM tells it.
        role = rest.partition("/")[0]
        return str(aws.client("iam").get_role(RoleName=role)["Role"]["Arn"])
    return aws.caller.arn if kind == "user" else None
