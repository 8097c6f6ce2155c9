"""JSON that every reader takes for the same, and no other."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from models.strict_json import DEEPEST, read, written

ROOT = Path(__file__).parents[2]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud83d")
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON: Expecting value: line 1 column 1"),
        ("{", "it is not JSON"),
        ("{'a': 1}", "it is not JSON"),
        ('{"a": 1,}', "it is not JSON"),
        ("\ufeff{}", "it is not JSON"),
        (b"\xff", "it is not UTF-8"),
        (b'"\xed\xa0\xbd"', "it is not UTF-8"),
        ("NaN", "NaN or infinite"),
        ('{"a": [Infinity]}', "NaN or infinite"),
        ("-Infinity", "NaN or infinite"),
        ("1e999", "NaN or infinite"),
        ('"half \\ud83d"', "half of a character"),
        ('{"\\udc00": 1}', "half of a character"),
        ("[" * 201 + "]" * 201, f"more than {DEEPEST} levels deep"),
        ("[" * 900 + "]" * 900, f"more than {DEEPEST} levels deep"),
        ("[" * 100_000, f"more than {DEEPEST} levels deep"),
        ('{"a":' * 100_000, f"more than {DEEPEST} levels deep"),
        ("1" * 5000, "too many digits"),
    ],
)
def test_what_is_no_proper_json_is_refused_with_the_reason(text: str | bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud83d\\ude00"', "😀"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("-0.0", -0.0),
        ('"\\u0000"', "\0"),
        (b" 1 ", 1),
        ("[" * 200 + "]" * 200, json.loads("[" * 200 + "]" * 200)),
    ],
)
def test_the_rest_is_read(text: str | bytes, value: Any) -> None:
    assert read(text) == value


@given(anything)
def test_whatever_is_written_can_be_read(value: Any) -> None:
    assert read(written(value)) == read(written(read(written(value))))


@given(anything.filter(lambda value: value == value))  # noqa: PLR0124 - NaN is not itself
def test_what_needs_no_mending_stays_as_it_is(value: Any) -> None:
    try:
        plain = json.dumps(value, allow_nan=False)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return

    assert written(value) == plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "null"),
        ({"a": [float("inf"), -1.5]}, '{"a": [null, -1.5]}'),
        ({float("nan"): 1}, '{"nan": 1}'),
        ("half \ud83d", '"half \\ufffd"'),
        ({"\ud83d": ("😀",)}, '{"\\ufffd": ["\\ud83d\\ude00"]}'),
    ],
)
def test_what_json_has_not_is_mended(value: Any, text: str) -> None:
    assert written(value) == text


def test_what_is_endlessly_deep_is_cut() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]

    assert written(deep) == "[" * DEEPEST + '"…"'.encode("ascii", "backslashreplace").decode() + (
        "]" * DEEPEST
    )


OWN = {
    "models/strict_json.py": "it is the place",
    "deployments/runtimes/comfyui/event_socket.py": "a constant",
    "deployments/runtimes/diffusers/families/vocabulary.py": "a vocabulary that is ours",
    "serve_app/native/accepted.py": "a digest that no one reads",
    "serve_app/pages/reference.py": "a part of a page",
    "serve_app/local/up.py": "addresses and a key that are ours",
}


def test_json_is_written_in_one_place() -> None:
    """A second place would write NaN for a runtime's number."""
    writers = set()
    for folder in ("models", "ingest", "deployments", "serve_app"):
        for path in (ROOT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            if {"dumps", "dump"} & names:
                writers.add(str(path.relative_to(ROOT)))

    assert writers == set(OWN)
