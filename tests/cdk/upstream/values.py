"""Values of Helm charts: the paths that a chart reads, and their types.

Helm says nothing of a value that no template reads: what is misspelt is silently the default.
"""

import re
from collections.abc import Iterator, Mapping, Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cdk.upstream.checkouts import Checkout

Values = Mapping[str, Any]
_READ = re.compile(r"\.Values\.([A-Za-z0-9_.]+)")
TYPES = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", dict: "map"}
ANY = "any"
"""Type of a value that the chart leaves empty."""


@dataclass(frozen=True)
class Chart:
    """Values of a chart by its own files."""

    defaults: Values
    read: AbstractSet[str]
    """Paths that its templates name: ``image.repository``."""

    @classmethod
    def of(cls, checkout: Checkout) -> "Chart":
        """Read the chart of a checkout."""
        defaults = yaml.safe_load(checkout.text(f"{checkout.chart}/values.yaml"))
        templates = checkout.folder.joinpath(checkout.chart, "templates").rglob("*")
        texts = (path.read_text() for path in templates if path.is_file())
        read = {named.rstrip(".") for text in texts for named in _READ.findall(text)}
        return cls(defaults, read)

    def known(self, given: Values, above: str = "") -> Iterator[tuple[str, str]]:
        """Return the given values that the chart reads, each path with its type there."""
        for key, value in given.items():
            path = f"{above}{key}"
            if isinstance(value, dict) and self._is_read_in_parts(path):
                yield from self.known(value, f"{path}.")
            elif path in self.read or self._has(path):
                yield path, self._type(path)

    def _is_read_in_parts(self, path: str) -> bool:
        """Tell whether a map's keys are the chart's own; an empty map's are the user's."""
        is_open = self._default(path) == {}
        return not is_open and any(each.startswith(f"{path}.") for each in self.read)

    def _has(self, path: str) -> bool:
        return self._default(path) is not _NONE

    def _type(self, path: str) -> str:
        return TYPES.get(type(self._default(path)), ANY)

    def _default(self, path: str) -> Any:
        found: Any = self.defaults
        for key in path.split("."):
            if not isinstance(found, dict) or key not in found:
                return _NONE
            found = found[key]
        return found


_NONE = object()


def mistakes(given: Values, known: Mapping[str, str], above: str = "") -> Iterator[str]:
    """Find values that a chart does not read, or of another type than it has them."""
    for key, value in given.items():
        path = f"{above}{key}"
        wanted = known.get(path)
        if wanted is None and isinstance(value, dict) and value:
            yield from mistakes(value, known, f"{path}.")
        elif wanted is None:
            yield f"{path}: the chart reads no such value"
        elif wanted not in {ANY, TYPES[type(value)]}:
            yield f"{path}: {TYPES[type(value)]}, where the chart has a {wanted}"
