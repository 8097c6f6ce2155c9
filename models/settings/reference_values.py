"""Translation of the reference system's chart values, given as ``extraValues``, to our settings.

The runtime's own settings win over them. A value that has no place here is refused, with what to
set instead; one that only the reference's own machinery needs is taken and means nothing.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from typing import Any

from pydantic import ValidationError

from models.settings.base import Group, explained, reads_like_a_name
from models.settings.reference_table import (
    EMPTY,
    IMAGE,
    INSTEAD,
    KNOWN,
    MEANS_NOTHING,
    READ_IN_PART,
    TRANSLATED,
    Given,
    Unlike,
    pod_image,
)

_LEAST = {"name": "a", "type": "a"}  # a runtime of which nothing is said


def translated(extra: Given, own: Given, model: type[Group]) -> dict[str, Any]:
    """Merge a runtime's settings: its own, and beneath them those of its ``extraValues``.

    Raises:
        ValueError: a value has no place, or is none that its setting of the model takes; it is
            named by its path.
    """
    beneath: dict[str, Any] = {}
    for path, value in _leaves(extra, ""):
        try:
            beneath = _over(TRANSLATED[path](value), beneath)
        except Unlike as exc:
            raise ValueError(f"extraValues.{path}: is not understood: {exc}") from None
        # A value of the wrong form may fail anywhere in its translation. `Unlike` comes first: it
        # is a ValueError, too, but its reason may be told.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise ValueError(f"extraValues.{path}: is not understood") from None
    settings = _over(own, beneath)
    # Without the chart's values: the model would translate them again, and never come to an end.
    if wrong := _complaints({**settings, "extraValues": None}, model):
        _blame(extra, wrong, model)
    return settings


def _complaints(given: Given, model: type[Group]) -> set[str]:
    """Say what is wrong with settings, each by its path."""
    try:
        model.model_validate(given)
    except ValidationError as exc:
        return {*explained(exc, model).splitlines()}
    return set()


def _blame(extra: Given, wrong: AbstractSet[str], model: type[Group]) -> None:
    """Name the value of a chart that makes a setting wrong, if one does."""
    for path, value in _leaves(extra, ""):
        found = _complaints({**_LEAST, **TRANSLATED[path](value)}, model) & wrong
        if found:
            raise ValueError(f"extraValues.{path}: {'; '.join(sorted(found))}")


def without_meaning(extra: Given) -> Sequence[str]:
    """Name the values that are taken and mean nothing here, if they say anything."""
    return [*_meaningless(extra, "")]


def _meaningless(given: Given, under: str) -> Iterator[str]:
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        if value is None:
            continue
        if path == IMAGE:
            says_nothing = _asks(value) and not pod_image(value)
        else:
            says_nothing = path in MEANS_NOTHING and _asks(value)
        if says_nothing:
            yield path
        elif path in READ_IN_PART:
            unread = (name for name in value if name not in READ_IN_PART[path])
            yield from (f"{path}.{name}" for name in unread if value[name] not in EMPTY)
        elif isinstance(value, Mapping) and path not in KNOWN:
            yield from _meaningless(value, path)


def _asks(value: Any) -> bool:
    """Tell whether a value asks for anything; an empty one and a switch that is off ask nothing."""
    if isinstance(value, Mapping):
        return any(map(_asks, value.values()))
    return bool(value)


def replaced(extra: Given, runtime: Group) -> Iterator[tuple[str, str]]:
    """Walk the values that other settings of a runtime win over, each with those settings."""
    current = runtime.model_dump(by_alias=True, exclude={"extra_values"})
    translations = {path: TRANSLATED[path](value) for path, value in _leaves(extra, "")}
    overridden = {
        path: _overridden(translation, current, type(runtime))
        for path, translation in translations.items()
    }
    for path, settings in overridden.items():
        if settings:
            yield (
                path,
                " or ".join(_winner(setting, translations, overridden) for setting in settings),
            )


def _overridden(translation: Given, current: Given, model: type[Group]) -> Sequence[str]:
    """Name the settings that would be others if this translation won over what is set."""
    paths = [*_paths(translation, "")]
    try:
        forced = model.model_validate(_over(translation, current)).model_dump(by_alias=True)
    except ValidationError:
        return paths
    return [path for path in paths if _at(forced, path) != _at(current, path)]


def _winner(
    setting: str, translations: Mapping[str, Given], overridden: Mapping[str, Sequence[str]]
) -> str:
    """Name the chart value that a setting comes from, else the setting itself."""
    for path, translation in translations.items():
        if setting in _paths(translation, "") and setting not in overridden[path]:
            return f"extraValues.{path}"
    return setting


def _at(given: Given, path: str) -> Any:
    """Return the value at a path."""
    for key in path.split("."):
        given = given[key]
    return given


def _paths(given: Given, under: str) -> Iterator[str]:
    """Walk the settings in a translation, by their paths."""
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        if path in {"nodes", "pod", "scaling"}:
            yield from _paths(value, path)
        else:
            yield path


def _leaves(given: Given, under: str) -> Iterator[tuple[str, Any]]:
    """Walk the values that mean something here, each with its path."""
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        is_group = any(known.startswith(f"{path}.") for known in KNOWN)
        if value is None and (is_group or path in KNOWN):
            continue  # as YAML reads a key with nothing after it
        if path in TRANSLATED:
            yield path, value
        elif path in INSTEAD:
            if value:
                raise ValueError(f"extraValues.{path}: has no place here; {INSTEAD[path]}")
        elif path in MEANS_NOTHING:
            continue
        elif isinstance(value, Mapping) and is_group:
            yield from _leaves(value, path)
        else:
            near = difflib.get_close_matches(path, KNOWN, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            shown = path if reads_like_a_name(str(key)) else f"{under}.…".lstrip(".")
            raise ValueError(f"extraValues.{shown}: unknown value{hint}")


def _over(upper: Given, lower: Given) -> dict[str, Any]:
    """Merge two mappings key by key; ``upper`` wins."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _over(value, below) if both else value  # type: ignore[arg-type] # a mapping
    return merged
