"""Comparison of what a document shows with what was really printed; `…` stands for anything.

In JSON the key ``"…"`` stands for further keys, the values of `CHANGING` are compared by type
alone, and a task may be further on than is shown (`STAGES`). In text a line that is only `…`
stands for any number of lines. That part of an artifact's name which is its submission's is not
compared.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

CHANGING = frozenset(
    {"attempt", "eta_seconds", "phase", "position", "seconds", "wait_seconds", "pace_seconds"}
)
"""Keys of JSON whose values depend on the machine."""

STAGES = ("queued", "running", "completed")
"""Values of ``"status"`` in the order in which a task goes through them."""

ANY = "…"
_SUBMISSION = re.compile(r"(?<=-)[0-9a-f]{16}(?=[-.])")
"""The part of an artifact's name that is its submission's."""


def difference(shown: str, said: str) -> str | None:
    """Return the place where what was printed is not as shown, or None."""
    shown, said = _SUBMISSION.sub("0" * 16, shown), _SUBMISSION.sub("0" * 16, said)
    try:
        return _of_json(json.loads(shown), json.loads(said), "$")
    except ValueError:
        return _of_text(shown, said)


def _of_text(shown: str, said: str) -> str | None:
    lines = [line.rstrip() for line in shown.strip().splitlines()]
    pattern = "\n".join(_pattern(line) for line in lines)
    text = "\n".join(line.rstrip() for line in said.strip().splitlines())
    if re.fullmatch(pattern, text):
        return None
    for n, line in enumerate(text.splitlines()):
        wanted = lines[n] if n < len(lines) else "the end"
        if not re.fullmatch(_pattern(wanted), line):
            return f"line {n + 1} is {line!r}, and {wanted!r} is shown"
    return f"{len(text.splitlines())} lines were said, and {len(lines)} are shown"


def _pattern(line: str) -> str:
    if line.strip() == ANY:
        return r"(?:.*(?:\n.*)*?)"
    return ".*".join(re.escape(part) for part in line.split(ANY))


def _of_json(shown: Any, said: Any, place: str) -> str | None:
    match shown, said:
        case dict(), dict():
            return _of_objects(shown, said, place)
        case list(), list() if len(shown) == len(said):
            pairs = enumerate(zip(shown, said, strict=True))
            found = (_of_json(a, b, f"{place}[{n}]") for n, (a, b) in pairs)
            return next(filter(None, found), None)
        case str(), _ if shown == ANY:
            return None
        case str(), str():
            same = re.fullmatch(_pattern(shown), said, re.DOTALL) is not None
        case _:
            same = shown == said and type(shown) is type(said)
    return None if same else f"{place} is {said!r}, and {shown!r} is shown"


def _of_objects(shown: Mapping[str, Any], said: Mapping[str, Any], place: str) -> str | None:
    more = sorted(said.keys() - shown.keys())
    if more and ANY not in shown:
        return f"{place} has more: {', '.join(more)}"
    for key, value in shown.items():
        if key == ANY:
            continue
        if key not in said:
            return f"{place} has no {key!r}"
        if key in CHANGING and (said[key] is None or isinstance(said[key], type(value) | int)):
            continue
        if key == "status" and value in STAGES and said[key] in STAGES[STAGES.index(value) :]:
            continue
        if found := _of_json(value, said[key], f"{place}.{key}"):
            return found
    return None
