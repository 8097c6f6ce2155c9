"""Settings in the environment (``ATELIER_GROUP__KEY``): any case, lists and objects in JSON."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from models.errors import SettingsError
from models.settings.base import Group, letters_off

_PREFIX = "ATELIER_"
_OTHERS = frozenset({"API_KEY", "CONFIG", "PROFILE", "TOOLS", "UID", "URL"})
"""Variables of the command and the containers that are no settings, without their prefix."""
_LONGEST = 60  # characters of a name that is compared with others
_LETTERS = 5
"""Letters of a setting's name for each of which one letter of a misspelling is forgiven."""


def refuse_unknown(names: Iterable[str], keys: Sequence[str]) -> None:
    """Refuse variables that are meant as settings and are none; ``keys``: those at the top.

    One is meant so if it has a group (``__``), or nearly a setting's name. What is below a known
    group is left to the settings.

    Raises:
        SettingsError: naming every such variable, and what was probably meant; no value.
    """
    complaints = "\n".join(_unknown(names, {key.upper(): key for key in keys}))
    if complaints:
        raise SettingsError(complaints)


def _unknown(names: Iterable[str], keys: dict[str, str]) -> Iterator[str]:
    for name in sorted(names):
        variable = name.upper()
        word, nested, rest = variable.removeprefix(_PREFIX).partition("__")
        known = not variable.startswith(_PREFIX) or word in keys
        if known or (word in _OTHERS and not nested):
            continue
        near = _meant(word, keys)
        if near or nested:
            hint = f"; did you mean {_PREFIX}{near}{nested}{_shown(rest)}?" if near else ""
            yield f"{_PREFIX}{_shown(word)}{nested}{_shown(rest)}: no setting has this name{hint}"


def _meant(word: str, keys: Iterable[str]) -> str | None:
    letters = word.replace("_", "")
    if len(letters) > _LONGEST:
        return None
    near = (key for key in keys if letters_off(letters, key) <= len(key) // _LETTERS)
    return min(near, key=lambda key: letters_off(letters, key), default=None)


def _shown(word: str) -> str:
    return word if re.fullmatch(r"[A-Z_]{0,60}", word) else "…"


class Environment(EnvSettingsSource):
    """Source of settings: the environment of this process."""

    def next_field(
        self, field: FieldInfo | Any | None, key: str, case_sensitive: bool | None = None
    ) -> FieldInfo | None:
        """Find a group's field by its key; the library's own wants the prefix before it again."""
        group = field.annotation if isinstance(field, FieldInfo) else field
        if not (isinstance(group, type) and issubclass(group, Group)):
            return super().next_field(field, key, case_sensitive)
        fields = group.model_fields.items()
        wanted = key.lower()
        return next(
            (found for name, found in fields if wanted in {name, str(found.alias).lower()}), None
        )

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON; what is none stays text, so that the settings refuse it by its key."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value
