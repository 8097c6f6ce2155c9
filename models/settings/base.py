"""Base of every group of settings, and explanations of wrong ones."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AliasGenerator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from models.errors import SettingsError
from models.plain import plain

_HUMAN = re.compile(r"[a-z]+(?:[A-Z][a-z]+){0,5}|[A-Z]+(?:_[A-Z]+){0,5}")
"""Pattern of the words that settings and variables are named with; no secret that a program made is
written so."""
_LONGEST = 40
_LETTERS_OFF = 2
_MOST_LINES = 50
_WANTS_TEXT = frozenset({"string_type", "path_type"})
_SECRETS_NEAR = frozenset({"apiKeys", "keys", "callbacks", "secret", "secrets", "env"})
"""Settings beneath which an unknown word may be a secret that slipped into the wrong place."""

_NUMBERS = frozenset({int, float, NoneType})
Loc = tuple[str | int, ...]


class Group(BaseModel):
    """Frozen group of settings: keys in camel case, unknown ones refused."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(alias=to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _take_no_flag_for_a_number(cls, given: Any) -> Any:
        """Write true and false as texts where numbers are wanted, which no text but a number is."""
        if not isinstance(given, Mapping):
            return given
        flags = {key: _spelt(value) for key, value in given.items() if _has_flag(value)}
        return {**given, **{key: value for key, value in flags.items() if key in _numbers(cls)}}

    @classmethod
    def read(cls, given: Mapping[str, Any], *, under: str) -> Self:
        """Read the group that stands under a path of the configuration, such as ``options``.

        Raises:
            SettingsError: naming each wrong key by its path, and what is allowed there.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as exc:
            explanation = explained(exc, cls, under=under)
        # Outside, so that its context does not hold what was given.
        raise SettingsError(explanation)


@cache
def _numbers(group: type[BaseModel]) -> frozenset[str]:
    """Return the keys of a group whose values are numbers, alone or in lists and mappings."""
    return frozenset(
        key
        for name, field in group.model_fields.items()
        if {int, float} & (leaves := _leaves(field.annotation)) and leaves <= _NUMBERS
        for key in (name, field.alias or name)
    )


def _leaves(annotation: Any) -> frozenset[Any]:
    """Return the types of which an annotation is made, but for those of mappings' keys."""
    if get_origin(annotation) is Literal:
        return frozenset(map(type, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return _leaves(get_args(annotation)[0])
    parts = [each for each in get_args(annotation) if each is not Ellipsis]
    if isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), Mapping):
        parts = parts[1:]
    return frozenset().union(*map(_leaves, parts)) if parts else frozenset({annotation})


def _has_flag(value: Any) -> bool:
    match value:
        case bool():
            return True
        case Mapping():
            return any(map(_has_flag, value.values()))
        case list() | tuple():
            return any(map(_has_flag, value))
    return False


def _spelt(value: Any) -> Any:
    """Write each true and false in a value as a text."""
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return {key: _spelt(each) for key, each in value.items()}
        case list() | tuple():
            return [_spelt(each) for each in value]
    return value


def explained(error: ValidationError, model: type[BaseModel], *, under: str = "") -> str:
    """Explain each mistake in a line: the path to the key, what is wrong, what is allowed.

    No value is quoted, wherever it stands, and a name only if it reads like a setting's: a secret
    may have slipped into any place.
    """
    return "\n".join(_lines(error, model, under))


def _lines(error: ValidationError, model: type[BaseModel], under: str) -> Iterable[str]:
    for detail in error.errors(include_url=False)[:_MOST_LINES]:
        shown = _shown(detail["loc"], model)
        path = path_of((under, *shown) if under else shown)
        if detail["type"] == "extra_forbidden":
            yield f"{path}: unknown key; {allowed(detail['loc'], model)}"
        else:
            text = plain(detail, mapping="a mapping of settings") + _misread(detail)
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
    """Write a key's location as a path, such as ``callback.events[0]``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc)
    return text.removeprefix(".")


def _shown(loc: Loc, model: type[BaseModel]) -> Loc:
    """Replace the words of a path that may be secrets by ``…``."""
    shown: list[str | int] = []
    within: type[BaseModel] | None = model
    secret = False
    for key in loc:
        names = _names(within) if within else []
        known = isinstance(key, int) or key in names or is_misspelt(key, names)
        # Once true it stays true: whatever follows lies beneath that setting.
        secret = secret or key in _SECRETS_NEAR
        harmless = known or (not secret and reads_like_a_name(str(key)))
        shown.append(key if harmless else "…")
        if isinstance(key, str):
            within = _model_at(key, within) if within else None
    return tuple(shown)


def reads_like_a_name(text: str) -> bool:
    """Tell whether a text is written as people write names of settings or of variables."""
    return len(text) <= _LONGEST and _HUMAN.fullmatch(text) is not None


def allowed(loc: Loc, model: type[BaseModel]) -> str:
    """List the keys that may stand where an unknown one was found, the nearest first as a hint."""
    within: type[BaseModel] | None = model
    for key in (each for each in loc[:-1] if isinstance(each, str)):
        within = _model_at(key, within) if within else None
    names = _names(within) if within else []
    shown = _shown(loc, model)[-1]
    near = difflib.get_close_matches(str(shown), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(names)}"


def is_misspelt(text: str, names: Iterable[str]) -> bool:
    """Tell whether a text of letters is at most two letters off one of these names."""
    # The lengths first: the distance of two long texts takes long.
    return re.fullmatch(r"[A-Za-z]+", text) is not None and any(
        abs(len(text) - len(name)) <= _LETTERS_OFF and letters_off(text, name) <= _LETTERS_OFF
        for name in names
    )


def letters_off(one: str, other: str) -> int:
    """Count the letters to change, add or leave out that lead from one text to the other."""
    # Invariant: how far the letters of `one` so far are from each beginning of `other`.
    row = list(range(len(other) + 1))
    for n, left in enumerate(one, 1):
        before, row = row, [n]
        for m, right in enumerate(other, 1):
            row.append(min(before[m] + 1, row[-1] + 1, before[m - 1] + (left != right)))
    return row[-1]


def _names(model: type[BaseModel]) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _model_at(key: str, model: type[BaseModel]) -> type[BaseModel] | None:
    """Find the model in the field of this name or alias."""
    fields = model.model_fields.items()
    found = (field.annotation for name, field in fields if key in (field.alias, name))
    return next((inner for annotation in found if (inner := _model_in(annotation))), None)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside ``tuple[Model, ...]`` or an optional one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
