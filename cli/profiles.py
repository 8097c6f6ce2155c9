"""``profiles.toml``: platforms that a person uses, by name."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from atelier import LOCAL, Misused
from models.settings.base import reads_like_a_name

DEFAULT = "default"


class Profile(BaseModel):
    """Platform in the user's profiles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = LOCAL
    api_key: SecretStr | None = None


def path() -> Path:
    return user_config_path("atelier") / "profiles.toml"


def read() -> Mapping[str, Profile]:
    """Read all profiles; none if there is no file.

    Raises:
        Misused: the file is wrong.
    """
    try:
        text = path().read_text()
        return TypeAdapter(dict[str, Profile]).validate_python(tomllib.loads(text))
    except FileNotFoundError:
        # An OSError, hence before it; to have no profiles is no fault.
        return {}
    except ValidationError as exc:
        raise Misused(f"{path()}: {_faults(exc)}") from None
    except (OSError, ValueError) as exc:
        # ValueError: broken TOML, or bytes that are no UTF-8.
        raise Misused(f"{path()}: {exc}") from None


def _faults(error: ValidationError) -> str:
    """Describe faults of the file, without names that may be a misplaced key."""
    faults = error.errors(include_url=False, include_input=False)
    named = ((*map(str, fault["loc"][:1]), *map(_harmless, fault["loc"][1:])) for fault in faults)
    return "\n".join(
        f"{'.'.join(path)}: {fault['msg']}" for path, fault in zip(named, faults, strict=True)
    )


def _harmless(part: str | int) -> str:
    text = str(part)
    near = difflib.get_close_matches(text, Profile.model_fields)
    return text if near or reads_like_a_name(text) else "…"


def names() -> list[str]:
    """Complete names of profiles in a shell."""
    try:
        return sorted(read())
    except Misused:
        return []
