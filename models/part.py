"""A frozen group of settings, and what is said about a wrong one."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Self, get_args

from pydantic import AliasGenerator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from models.errors import SettingsError

_LONGEST = 80

Loc = tuple[str | int, ...]


class Part(BaseModel):
    """Keys in camel case, each of them known."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(alias=to_camel),
        extra="forbid",
        frozen=True,
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
            raise SettingsError(explained(exc, cls, under=under)) from None


def explained(error: ValidationError, model: type[BaseModel], *, under: str = "") -> str:
    """One line for each mistake: the path to the key, what is wrong, what is allowed."""
    return "\n".join(_lines(error, model, under))


def _lines(error: ValidationError, model: type[BaseModel], under: str) -> Iterable[str]:
    for one in error.errors(include_url=False):
        path = path_of((under, *one["loc"]) if under else one["loc"])
        if one["type"] == "extra_forbidden":
            yield f"{path}: unknown key; {allowed(one['loc'], model)}"
        else:
            text = one["msg"].removeprefix("Value error, ")
            given = "" if _secret(one["loc"]) else f" (given: {_short(one.get('input'))})"
            yield f"{path}: {text}{given}" if path else text


def path_of(loc: Loc) -> str:
    """Such as ``callback.events[0]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")


def _secret(loc: Loc) -> bool:
    return not {"apiKeys", "secret", "environment"}.isdisjoint(loc)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def allowed(loc: Loc, model: type[BaseModel]) -> str:
    """What may stand where an unknown key was found."""
    names = _names_at(loc[:-1], model)
    near = difflib.get_close_matches(str(loc[-1]), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(names)}"


def _names_at(loc: Loc, model: type[BaseModel]) -> list[str]:
    for part in (p for p in loc if isinstance(p, str)):
        field = next(f for n, f in model.model_fields.items() if part in (f.alias, n))
        model = _model_in(field.annotation)
    return sorted(f.alias or name for name, f in model.model_fields.items())


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model inside ``tuple[Model, ...]`` or ``Model | None``."""
    for inner in (annotation, *get_args(annotation)):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    raise TypeError(annotation)
