"""``profiles.toml``: platforms that a person uses, by name."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter, ValidationError

from atelier import LOCAL, Misused

DEFAULT = "default"


class Profile(BaseModel):
    """One platform."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = LOCAL
    api_key: SecretStr | None = None


def path() -> Path:
    return user_config_path("atelier") / "profiles.toml"


def read() -> Mapping[str, Profile]:
    """All of them; none where there is no file.

    Raises:
        Misused: the file is wrong.
    """
    try:
        text = path().read_text()
        return TypeAdapter(dict[str, Profile]).validate_python(tomllib.loads(text))
    except FileNotFoundError:
        return {}
    except ValidationError as exc:
        raise Misused(f"{path()}: {Misused.of(exc)}") from None
    except (OSError, ValueError) as exc:
        raise Misused(f"{path()}: {exc}") from None


def names() -> list[str]:
    """For a shell's completion."""
    try:
        return sorted(read())
    except Misused:
        return []
