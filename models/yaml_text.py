"""YAML that people write; errors never quote it, for a secret may stand in the wrong place."""

from pathlib import Path
from typing import Any

import yaml

from models.errors import SettingsError


def yaml_file(path: Path) -> Any:
    """Read the document in a file.

    Raises:
        SettingsError: it cannot be read, or is no YAML in UTF-8; the line is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from None
    return yaml_document(raw, str(path))


def yaml_document(raw: bytes | str, name: str) -> Any:
    """Read the document in a text; errors call the text by ``name``.

    Raises:
        SettingsError: it is no YAML in UTF-8; the line is named.
    """
    try:
        return yaml.load(raw, _Loader)  # noqa: S506 - a safe one
    except _Twice as exc:
        where = f"{_place(exc.problem_mark)}: {exc.problem}"
    except yaml.MarkedYAMLError as exc:
        where = _place(exc.problem_mark or exc.context_mark)
    # PyYAML makes values as it reads: 2027-02-30 is a ValueError, deep nesting the other.
    except (yaml.YAMLError, ValueError, RecursionError):
        where = ": it holds what YAML in UTF-8 has no place for"
    # Outside, so that not even the error's context holds what the file does.
    raise SettingsError(f"{name}: not YAML{where}")


class _Loader(yaml.SafeLoader):
    """Loader of plain values that refuses a key that stands twice: the second would win unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            named = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if named is not None and named in seen:
                problem = "this key stands twice in one mapping; leave one of them out"
                raise _Twice(None, None, problem, key.start_mark)
            seen.add(named)
        return super().construct_mapping(node, deep)


class _Twice(yaml.constructor.ConstructorError):
    """A key stands twice; the error's text quotes nothing of the file."""


def _place(mark: yaml.Mark | None) -> str:
    return f": look at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
