"""Lines of JSON that processes wrote who may have been killed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def json_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """Read the objects in a file, one a line, without those that are torn; none without a file."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told
