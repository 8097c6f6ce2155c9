"""Errors of the AWS commands, whose messages name a remedy, and their exit codes.

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

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as sdk

from atelier import AtelierError
from cli.exit_codes import ENDED_BADLY, NOT_FOUND, TIMED_OUT, UNAUTHORIZED, UNREACHABLE, USAGE

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
    """There is no such stack."""

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
