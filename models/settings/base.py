"""A frozen group of settings, and what is said about a wrong one."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Self, get_args

from pydantic import AliasGenerator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from models.errors import SettingsError
from models.plain import plain

_HUMAN = re.compile(r"[a-z]+(?:[A-Z][a-z]+){0,5}|[A-Z]+(?:_[A-Z]+){0,5}")
"""Words as settings and variables have them; no secret that a program made is written so."""
_LONGEST = 40
_LETTERS_OFF = 2
_MOST_LINES = 50
_WANTS_TEXT = frozenset({"string_type", "path_type"})
_SECRETS_NEAR = frozenset({"apiKeys", "keys", "callbacks", "secret", "secrets", "env"})
"""Settings beneath which an unknown word may be a secret that slipped into the wrong place."""

Loc = tuple[str | int, ...]


class Group(BaseModel):
    """Keys in camel case, each of them known."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(alias=to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def read(cls, given: Mapping[str, Any], *, under: str) -> Self:
        """Read what stands under a path of the configuration, such as ``options``.

        Raises:
            SettingsError: naming each wrong key by its path, and what is allowed there.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as exc:
            said = explained(exc, cls, under=under)
        raise SettingsError(said)  # outside, so that its context does not hold what was given


def explained(error: ValidationError, model: type[BaseModel], *, under: str = "") -> str:
    """Explain each mistake in a line: the path to the key, what is wrong, what is allowed.

    No value is quoted, wherever it stands, and a name only if it reads like a setting's: a secret
    may have slipped into any place.
    """
    return "\n".join(_lines(error, model, under))


def _lines(error: ValidationError, model: type[BaseModel], under: str) -> Iterable[str]:
    for one in error.errors(include_url=False)[:_MOST_LINES]:
        shown = _shown(one["loc"], model)
        path = path_of((under, *shown) if under else shown)
        if one["type"] == "extra_forbidden":
            yield f"{path}: unknown key; {allowed(one['loc'], model)}"
        else:
            text = plain(one, mapping="a mapping of settings") + _misread(one)
            yield f"{path}: {text}" if path else text


def _misread(error: ErrorDetails) -> str:
    """Hint at a text that YAML read as something else because it has no quotes; quotes no value."""
    if error["type"] not in _WANTS_TEXT:
        return ""
    match error["input"]:
        case dict():
            return "; YAML reads a text with ': ' in it or ':' at its end as a mapping: quote it"
        case bool() | int() | float() | date():
            return "; YAML reads numbers, dates, yes and no as such: quote it"
    return ""


def path_of(loc: Loc) -> str:
    """Such as ``callback.events[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def _shown(loc: Loc, model: type[BaseModel]) -> Loc:
    """Replace the words of a path that may be secrets by ``…``."""
    shown: list[str | int] = []
    within: type[BaseModel] | None = model
    secret = False
    for part in loc:
        names = _names(within) if within else []
        known = isinstance(part, int) or part in names or is_misspelt(part, names)
        secret = secret or part in _SECRETS_NEAR
        harmless = known or (not secret and reads_like_a_name(str(part)))
        shown.append(part if harmless else "…")
        if isinstance(part, str):
            within = _model_at(part, within) if within else None
    return tuple(shown)


def reads_like_a_name(text: str) -> bool:
    """Whether a text is written as people write names of settings or of environment variables."""
    return len(text) <= _LONGEST and _HUMAN.fullmatch(text) is not None


def allowed(loc: Loc, model: type[BaseModel]) -> str:
    """What may stand where an unknown key was found."""
    within: type[BaseModel] | None = model
    for part in (p for p in loc[:-1] if isinstance(p, str)):
        within = _model_at(part, within) if within else None
    names = _names(within) if within else []
    shown = _shown(loc, model)[-1]
    near = difflib.get_close_matches(str(shown), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(names)}"


def is_misspelt(text: str, names: Iterable[str]) -> bool:
    """Whether a text of letters is one or two letters off one of these names."""
    return re.fullmatch(r"[A-Za-z]+", text) is not None and any(
        abs(len(text) - len(name)) <= _LETTERS_OFF and letters_off(text, name) <= _LETTERS_OFF
        for name in names
    )


def letters_off(one: str, other: str) -> int:
    """Count the letters to change, add or leave out that lead from one text to the other."""
    row = list(range(len(other) + 1))
    for n, left in enumerate(one, 1):
        before, row = row, [n]
        for m, right in enumerate(other, 1):
            row.append(min(before[m] + 1, row[-1] + 1, before[m - 1] + (left != right)))
    return row[-1]


def _names(model: type[BaseModel]) -> list[str]:
    return sorted(f.alias or name for name, f in model.model_fields.items())


def _model_at(part: str, model: type[BaseModel]) -> type[BaseModel] | None:
    """The model in the field of this name."""
    fields = model.model_fields.items()
    found = (f.annotation for name, f in fields if part in (f.alias, name))
    return next((inner for annotation in found if (inner := _model_in(annotation))), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside ``tuple[Model, ...]`` or ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
