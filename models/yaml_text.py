"""YAML that people write; errors never quote it, for a secret may stand in the wrong place."""

from pathlib import Path
from typing import Any

import yaml

from models.errors import SettingsError


def yaml_file(path: Path) -> Any:
    """The document in a file.

    Raises:
        SettingsError: it cannot be read, or is no YAML in UTF-8; the line is named.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from None
    return yaml_document(raw, str(path))


def yaml_document(raw: bytes | str, name: str) -> Any:
    """The document in a text that is known by this name.

    Raises:
        SettingsError: it is no YAML in UTF-8; the line is named.
    """
    try:
        return yaml.safe_load(raw)
    except yaml.MarkedYAMLError as exc:
        where = _place(exc.problem_mark or exc.context_mark)
    except (yaml.YAMLError, ValueError, RecursionError):
        where = ": it holds what YAML in UTF-8 has no place for"
    # Outside, so that not even the error's context holds what the file does.
    raise SettingsError(f"{name}: not YAML{where}")


def _place(mark: yaml.Mark | None) -> str:
    return f": look at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
