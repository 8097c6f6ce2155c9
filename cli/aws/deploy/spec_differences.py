"""Differences between two specs of a Ray cluster, as paths for people; muted fields do not count.

KubeRay's copy of a spec has been through Go: amounts are written in another way there (`0.5` is
`500m`), and fields that are empty, zero or false may be missing. Neither is a difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.aws.deploy.muted_fields import (
    CLUSTER_FIELDS,
    GROUP_FIELDS,
    HEAD,
    WORKERS,
    Keys,
    MutedField,
    Spec,
)
from models.quantities import quantity

_AMOUNTS = frozenset({"limits", "requests"})
_NAMES = ("groupName", "name", "key")


def differences(running: Spec, wanted: Spec) -> list[str]:
    """Return the paths at which KubeRay sees a difference, such as ``headGroupSpec.template.…``."""
    return [*_differences(_compared(running), _compared(wanted), "")]


def _compared(spec: Spec) -> Mapping[str, Any]:
    """Return the compared part of a spec: without muted fields and empty values."""
    groups = {
        HEAD: _without(spec[HEAD], GROUP_FIELDS),
        WORKERS: [_without(group, GROUP_FIELDS) for group in spec.get(WORKERS) or ()],
    }
    compared: Mapping[str, Any] = _full({**_without(spec, CLUSTER_FIELDS), **groups})
    return compared


def _without(spec: Spec, muted: Sequence[MutedField]) -> Spec:
    for field in muted:
        spec = _less(spec, field.keys)
    return spec


def _less(spec: Spec, keys: Keys) -> Spec:
    first, *rest = keys
    if first not in spec:
        return spec
    if rest:
        return {**spec, first: _less(spec[first], tuple(rest))}
    return {key: value for key, value in spec.items() if key != first}


def _full(value: Any, key: str = "") -> Any:
    """Drop empty values, and turn quantities into numbers."""
    if isinstance(value, Mapping):
        inner = {name: _full(part, name) for name, part in value.items()}
        if key in _AMOUNTS:
            inner = {name: _amount(part) for name, part in inner.items()}
        return {name: part for name, part in inner.items() if part}
    return [_full(part) for part in value] if isinstance(value, list) else value


def _amount(text: Any) -> Any:
    """Parse a Kubernetes quantity, such as ``500m``; other text stays."""
    try:
        return quantity(str(text))
    except ValueError:
        return text


def _differences(had: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(had, Mapping) and isinstance(now, Mapping):
        for key in sorted({*had, *now}):
            yield from _differences(had.get(key), now.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(had, list) and isinstance(now, list):
        yield from _of_lists(had, now, path)
    elif had != now:
        yield path


def _of_lists(had: list[Any], now: list[Any], path: str) -> Iterator[str]:
    """Compare lists by their items' names, if all have one; a new order is a difference, too."""
    ours, theirs = _names(had), _names(now)
    for name in dict.fromkeys([*ours, *theirs]):
        yield from _differences(ours.get(name), theirs.get(name), f"{path}[{name}]")
    if ours.keys() == theirs.keys() and list(ours) != list(theirs):
        yield f"{path} (their order)"


def _names(parts: list[Any]) -> Mapping[Any, Any]:
    """Index the items by their names, or by their positions if they have no names of their own."""
    for key in _NAMES:
        named = {part.get(key): part for part in parts if isinstance(part, Mapping)}
        if None not in named and len(named) == len(parts):
            return named
    return dict(enumerate(parts))
