"""Translation of the reference system's chart values, given as ``extraValues``, to our settings.

The runtime's own settings win over them. A value that has no place here is refused, with what to
set instead; one that only the reference's own machinery needs is taken and means nothing.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from typing import Any

from pydantic import ValidationError

from models.settings.base import Group, explained, reads_like_a_name
from models.settings.reference_table import (
    IMAGE,
    INSTEAD,
    KNOWN,
    MEANS_NOTHING,
    MOUNTS,
    READ_IN_PART,
    REMEDIES,
    REPLICAS,
    SCALING,
    SWITCH,
    SWITCHED_OFF,
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
    translations = _translations(extra)
    settings = _merged(translations.values(), own)
    if wrong := _complaints(settings, model):
        _blame(translations, own, wrong, model)
    return settings


def _merged(translations: Iterable[Given], own: Given) -> dict[str, Any]:
    beneath: dict[str, Any] = {}
    for settings in translations:
        beneath = _over(settings, beneath)
    return _over(own, _without_rivals(beneath, own))


def _translations(extra: Given) -> Mapping[str, Given]:
    """Translate the values that mean something here, by their paths.

    Raises:
        ValueError: a value is not understood; it is named by its path.
    """
    leaves = dict(_leaves(extra, ""))
    if leaves.get(SWITCH) is not False:
        return {path: _translation(path, value) for path, value in leaves.items()}
    replicas = extra["runtime"].get("replicas")
    fixed = {SWITCH: {"replicas": 1}} if replicas is None else {REPLICAS: {"replicas": replicas}}
    others = {path: value for path, value in leaves.items() if not path.startswith(SCALING)}
    return fixed | {path: _translation(path, value) for path, value in others.items()}


def _translation(path: str, value: Any) -> Given:
    try:
        return TRANSLATED[path](value)
    except Unlike as exc:
        raise ValueError(f"extraValues.{path}: is not understood: {exc}") from None
    # A value of the wrong form may fail anywhere in its translation. `Unlike` comes first: it is
    # a ValueError, too, but its reason may be told.
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise ValueError(f"extraValues.{path}: is not understood") from None


_RIVALS: Mapping[str, AbstractSet[str]] = {
    "replicas": {"scaling.minReplicas", "scaling.maxReplicas"},
    "scaling.minReplicas": {"replicas"},
    "scaling.maxReplicas": {"replicas"},
}
"""Settings beside which another may not stand."""


def _without_rivals(beneath: Given, own: Given) -> Given:
    """Leave out what may not stand beside a runtime's own settings."""
    set_ = {path for path in _paths(own, "") if path in _RIVALS and _at(own, path) is not None}
    lost = {path for path in _paths(beneath, "") if set_ & _RIVALS.get(path, set())}
    scaling = beneath.get("scaling", {})
    kept = {key: value for key, value in scaling.items() if f"scaling.{key}" not in lost}
    return {key: beneath[key] for key in beneath if key not in lost} | {"scaling": kept}


def _complaints(given: Given, model: type[Group]) -> set[str]:
    """Say what is wrong with settings, each by its path."""
    try:
        # Without the chart's values: the model would translate them again, and never end.
        model.model_validate({**given, "extraValues": None})
    except ValidationError as exc:
        return {*explained(exc, model).splitlines()}
    return set()


def _blame(
    translations: Mapping[str, Given], own: Given, wrong: AbstractSet[str], model: type[Group]
) -> None:
    """Name the value of a chart that makes a setting wrong, by itself or beside others."""
    for path, settings in translations.items():
        _raise_with(path, _complaints({**_LEAST, **settings}, model) & wrong)
    for path in translations:
        others = (settings for other, settings in translations.items() if other != path)
        _raise_with(path, wrong - _complaints(_merged(others, own), model))


def _raise_with(path: str, complaints: AbstractSet[str]) -> None:
    if complaints:
        raise ValueError(f"extraValues.{path}: {'; '.join(sorted(complaints))}")


def without_meaning(extra: Given) -> Mapping[str, str | None]:
    """Find the values that are taken and mean nothing here, if they say anything.

    Each has its remedy; None if only the reference's own machinery needs it.
    """
    found = {name: _remedy(name) for name in _meaningless(extra, "")}
    leaves = dict(_leaves(extra, ""))
    if leaves.get(SWITCH) is not False:
        return found
    idle = (path for path in leaves if path.startswith(SCALING) and path != SWITCH)
    found |= dict.fromkeys(idle, SWITCHED_OFF)
    return {name: remedy for name, remedy in found.items() if name != REPLICAS}


def _remedy(name: str) -> str | None:
    return next((REMEDIES[path] for path in REMEDIES if f"{name}.".startswith(f"{path}.")), None)


def _meaningless(given: Given, under: str) -> Iterator[str]:
    for key, value in given.items():
        path = f"{under}.{key}".lstrip(".")
        if value is None:
            continue
        if path == IMAGE:
            says_nothing = _asks(value) and not pod_image(value)
        else:
            says_nothing = path in MEANS_NOTHING and (_asks(value) or _unmounts(path, value))
        if says_nothing:
            yield path
        elif path in READ_IN_PART:
            unread = READ_IN_PART[path](value)
            known = (name if f"{path}.{name}" in REMEDIES else _harmless(name) for name in unread)
            yield from (f"{path}.{name}" for name in known)
        elif isinstance(value, Mapping) and path not in KNOWN:
            yield from _meaningless(value, path)


def _harmless(path: str) -> str:
    """Replace the words of a path that may be secrets."""
    return ".".join(key if reads_like_a_name(key) else "…" for key in path.split("."))


def _unmounts(path: str, value: Any) -> bool:
    """Tell whether a value says that weights are not mounted."""
    switch = value.get("enabled") if isinstance(value, Mapping) else value
    return path in MOUNTS and switch is False


def _asks(value: Any) -> bool:
    """Tell whether a value asks for anything; an empty one and a switch that is off ask nothing."""
    if isinstance(value, Mapping):
        return any(map(_asks, value.values()))
    return bool(value)


def replaced(extra: Given, runtime: Group) -> Iterator[tuple[str, str]]:
    """Walk the values that other settings of a runtime win over, each with those settings."""
    current = runtime.model_dump(by_alias=True, exclude={"extra_values"})
    translations = _translations(extra)
    overridden = _overridden(translations, runtime)
    for path, settings in overridden.items():
        if settings:
            winners = (
                _winner(_rival(setting, current), translations, overridden) for setting in settings
            )
            yield path, " or ".join(winners)


def origin(setting: str, extra: Given, runtime: Group) -> str:
    """Name the chart value that a setting of a runtime comes from, else the setting itself."""
    translations = _translations(extra)
    return _winner(setting, translations, _overridden(translations, runtime))


def _overridden(translations: Mapping[str, Given], runtime: Group) -> Mapping[str, Sequence[str]]:
    """Name the settings of each translation that other settings of a runtime win over."""
    current = runtime.model_dump(by_alias=True, exclude={"extra_values"})
    return {
        path: _others(translation, current, type(runtime))
        for path, translation in translations.items()
    }


def _others(translation: Given, current: Given, model: type[Group]) -> Sequence[str]:
    """Name the settings that would be others if this translation won over what is set."""
    paths = [*_paths(translation, "")]
    try:
        forced = model.model_validate(_over(translation, current)).model_dump(by_alias=True)
    except ValidationError:
        return paths
    return [path for path in paths if _at(forced, path) != _at(current, path)]


def _rival(setting: str, current: Given) -> str:
    """Return the setting beside which this one may not stand, if that is set instead of it."""
    rivals = sorted(_RIVALS.get(setting, ())) if _at(current, setting) is None else ()
    return next((each for each in rivals if _at(current, each) is not None), setting)


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
        if path in {"nodes", "pod", "scaling"} and isinstance(value, Mapping):
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
