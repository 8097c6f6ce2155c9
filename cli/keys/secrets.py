"""Make and revoke API keys in a list of keys; pure functions, which store nothing."""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from atelier import Misused
from models.role import Role
from models.settings.api_keys import ApiKey, KeySecret, digest_of

_LETTERS = string.ascii_letters + string.digits  # API Gateway accepts these for sure
_LENGTH = 43  # 256 bits
_PREFIX = "atelier"  # lets scanners recognize leaked secrets
_ID = 8
_KEPT_SECONDS = 30 * 86_400  # ended secrets are listed this long


@dataclass(frozen=True, kw_only=True)
class SecretRequest:
    """Secret to be made."""

    name: str
    role: Role | None
    """Role of the secret; None: the role of the name's other secrets, else ``artist``."""
    expires: datetime | None


def new_secret() -> str:
    """Make a secret of 256 random bits."""
    return _PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def id_of(secret: KeySecret) -> str:
    """Return the id by which lists show a secret: the first digits of its SHA-256."""
    return secret.digest[:_ID]


def role_of(request: SecretRequest, known: Sequence[ApiKey]) -> Role:
    """Return the role that the secret gets.

    Raises:
        Misused: the name has another role; all secrets of a name have the same.
    """
    role = next((key.role for key in known if key.name == request.name), None)
    if role and request.role and role is not request.role:
        raise Misused(
            f"{request.name} is known as {role}: all secrets of a name have one role; revoke them"
            " first, or take another name"
        )
    return role or request.role or Role.ARTIST


def with_secret(
    keys: Sequence[ApiKey],
    request: SecretRequest,
    role: Role,
    secret: str,
    gateway: str | None = None,
) -> Sequence[ApiKey]:
    """Return the keys with one more secret."""
    new = KeySecret(sha256=digest_of(secret), expires=request.expires, gateway=gateway)
    if not any(key.name == request.name for key in keys):
        return (*keys, ApiKey(name=request.name, role=role, secrets=(new,)))
    return [
        key.model_copy(update={"secrets": (*key.secrets, new)}) if key.name == request.name else key
        for key in keys
    ]


def revoked(
    keys: Sequence[ApiKey], name: str, id_: str | None, now: float
) -> tuple[Sequence[ApiKey], Sequence[KeySecret]]:
    """Return the keys with a name's secrets ended, or the one of this id; and the ended secrets."""
    ended = [
        secret
        for key in keys
        for secret in key.secrets
        if key.name == name and id_ in (None, id_of(secret)) and not secret.expired(now)
    ]
    moment = datetime.fromtimestamp(int(now), UTC)
    return [_ended(key, ended, moment) for key in keys], ended


def tidied(keys: Sequence[ApiKey], now: float) -> Sequence[ApiKey]:
    """Drop secrets that ended over 30 days ago, and names without any other."""
    kept = [_without_old(key, now) for key in keys]
    return [key for key in kept if key.secrets]


def _ended(key: ApiKey, ended: Sequence[KeySecret], moment: datetime) -> ApiKey:
    def end(secret: KeySecret) -> KeySecret:
        return secret.model_copy(update={"expires": moment}) if secret in ended else secret

    return key.model_copy(update={"secrets": tuple(map(end, key.secrets))})


def _without_old(key: ApiKey, now: float) -> ApiKey:
    kept = tuple(secret for secret in key.secrets if not secret.expired(now - _KEPT_SECONDS))
    return key.model_copy(update={"secrets": kept})
