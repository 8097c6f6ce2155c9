"""API keys as they are configured: their holders, rights and secrets."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator

from models import name_patterns
from models.errors import SettingsError
from models.regular_files import regular_bytes
from models.role import Role
from models.settings.base import Group, explained
from models.settings.values import CallbackSecret
from models.yaml_text import yaml_document

_MOMENT = "must be a date, or a time with its zone, such as 2027-01-31T12:00:00Z"
_RANGE = "must lie in the years 1 to 9999 of UTC; leave it out for a key without an end"


def moment(given: object) -> datetime:
    """Read a date (its first moment, UTC) or a time with its zone, as YAML or JSON give it.

    Raises:
        ValueError: it is neither, or no time of UTC.
    """
    match given:
        # Before `date`, since each datetime is one as well.
        case datetime():
            found = given
        case date():
            found = datetime(given.year, given.month, given.day, tzinfo=UTC)
        # `fromisoformat` takes it for a midnight without a zone, which is refused below.
        case str() if len(given) == len("2027-01-31"):
            return moment(_parsed(given).date())
        case str():
            found = _parsed(given)
        case _:
            raise ValueError(_MOMENT)
    if found.tzinfo is None:
        raise ValueError(_MOMENT)
    try:
        # The first hours of the year 1 in an eastern zone lie before the years that Python has.
        found.astimezone(UTC)
    except OverflowError:
        raise ValueError(_RANGE) from None
    return found


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_MOMENT) from None


Moment = Annotated[datetime, BeforeValidator(moment)]
Secret = Annotated[SecretStr, Field(min_length=1)]


class KeySecret(Group):
    """Secret of an API key, or the secret's digest.

    A digest is of a secret that ``atelier keys new`` made: with its 256 random bits nobody finds it
    by trying, so one round of SHA-256 is enough, and a slow hash would only make each request slow.
    A secret that a person made up would be found; so nothing here hashes one.
    """

    key: Secret | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Hexadecimal digest, in the place of ``key``."""
    expires: Moment | None = None
    """Moment from which the secret is refused: a date, or a time with its zone."""
    gateway: str | None = None
    """Id of the key at API Gateway that has this secret, too."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("must have a key or its sha256, and not both")
        return self

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the secret; its first letters tell secrets apart in lists."""
        return self.sha256 or digest_of(self.key.get_secret_value() if self.key else "")

    def expired(self, now: float) -> bool:
        """Tell whether the secret is refused at a time, in seconds since 1970."""
        return self.expires is not None and self.expires.timestamp() <= now


class ApiKey(Group):
    """API key of a holder. Several keys with the same name belong to the same holder."""

    name: Annotated[str, Field(pattern=f"^{name_patterns.API_KEY}$")]
    """Owner of the tasks that are sent with the key; may stand in a log."""
    role: Role = Role.ARTIST
    """Rights of the key: ``viewer`` reads the tasks of its name, ``artist`` submits and cancels
    them, too; ``operator`` reads and cancels all tasks, those among them that came by SNS."""
    key: Secret | None = None
    """Secret of the API key."""
    expires: Moment | None = None
    """Moment from which ``key`` is refused, and the key of this name that the stack makes at API
    Gateway: a date, or a time with its zone."""
    secrets: tuple[KeySecret, ...] = ()
    """More secrets of the API key, so that one can follow another."""
    callback_secret: CallbackSecret | None = None
    """Secret that signs the callbacks of this key's tasks; None: ``callbacks.secret`` does."""

    @property
    def all_secrets(self) -> Sequence[KeySecret]:
        """Secrets that let the key's holder in, ``key`` first."""
        own = () if self.key is None else (KeySecret(key=self.key, expires=self.expires),)
        return (*own, *self.secrets)


class StoredKey(Group):
    """API key in a store of keys, which holds digests alone."""

    name: Annotated[str, Field(pattern=f"^{name_patterns.API_KEY}$")]
    role: Role = Role.ARTIST
    secrets: tuple[KeySecret, ...]

    @model_validator(mode="after")
    def _hashed(self) -> Self:
        if any(secret.key is not None for secret in self.secrets):
            raise ValueError(
                "secrets: a store of keys holds digests; `atelier keys new` makes them"
            )
        return self


class _Document(Group):
    """Document that a store of API keys holds."""

    keys: tuple[StoredKey, ...] = ()


def digest_of(secret: str) -> str:
    """Compute the hexadecimal SHA-256 of a secret."""
    return sha256(secret.encode()).hexdigest()


def stored_keys(document: Any, name: str) -> tuple[ApiKey, ...]:
    """Read the keys in a store's document; an empty document has none.

    Raises:
        SettingsError: it holds something else; nothing of it is quoted.
    """
    given = {} if document is None else document
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for each in given):
        raise SettingsError(f"{name}: must be a mapping with keys")
    try:
        stored = _Document.model_validate(dict(given))
    except ValidationError as exc:
        explanation = explained(exc, _Document)
    else:
        return tuple(ApiKey.model_validate(key.model_dump(by_alias=True)) for key in stored.keys)
    raise SettingsError(f"{name}: {explanation}")


def keys_in(path: Path) -> Sequence[ApiKey]:
    """Read the keys in a file; none if there is no file.

    Raises:
        SettingsError: it is something else, or cannot be read; nothing of it is quoted.
    """
    raw = regular_bytes(path)
    return () if raw is None else stored_keys(yaml_document(raw, str(path)), str(path))


def as_document(keys: Iterable[ApiKey]) -> dict[str, Any]:
    """Write keys as the document that `stored_keys` reads; their secrets must be digests."""
    kept = ("name", "role", "secrets")
    return {
        "keys": [
            key.model_dump(mode="json", by_alias=True, include=set(kept), exclude_none=True)
            for key in keys
        ]
    }
