"""JSON as the platform reads and writes it: every reader in the world takes it for the same.

Read: UTF-8, no NaN or infinity, no half of a character, at most `DEEPEST` levels and `MOST_VALUES`
values. Of two equal keys of an object the last one counts, as in every JSON reader of Python's.
"""

import json
import math
import re
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

DEEPEST = 200  # levels; far below Python's own limit, which depends on who calls
MOST_VALUES = 400_000
"""Most lists, objects and commas of a JSON text; a mebibyte of numbers has fewer."""
_CUT = "…"
# Possessive (`*+`): with nothing to go back to, a text of quotes and backslashes takes linear time.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# A good pair matches, too: this finds texts that are worth the look that costs more.
_HALF_ESCAPED = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # 1 and -1, as signed bytes


class TooMany(ValueError):
    """The JSON has more than `MOST_VALUES` values."""


def read(raw: str | bytes) -> Any:
    """Read the value in a JSON text.

    Raises:
        TooMany: it would take long to read; it was not.
        ValueError: with what is wrong with it; nothing of the text is quoted.
    """
    # Here things are only counted, so halves of characters pass; further down they are refused.
    _refuse_bombs(raw if isinstance(raw, bytes) else raw.encode(errors="surrogatepass"))
    value = _parsed(raw)
    try:
        if _may_have_halves(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half of a character (a lone surrogate)") from None
    return value


def written(
    value: Any, default: Callable[[Any], Any] | None = None, *, compact: bool = False
) -> str:
    """Write a value as JSON, whatever a runtime has put into it; never fails on numbers or depth.

    A number that JSON has none for becomes null, half a character the replacement character, and
    what is deeper than `DEEPEST` levels an ellipsis. ``default`` is as in `json.dumps`; ``compact``
    leaves the blanks out.
    """
    separators = (",", ":") if compact else None
    dumped = partial(json.dumps, allow_nan=False, default=default, separators=separators)
    try:
        text = dumped(value)
        if "\\ud" in text:  # a surrogate, most often one of a good pair
            dumped(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return dumped(_mended(value, DEEPEST))
    return text


def _parsed(raw: str | bytes) -> Any:
    try:
        # By itself `json.loads` guesses UTF-16 and UTF-32, too, and lets halves of characters pass.
        text = raw.decode() if isinstance(raw, bytes) else raw
        # `parse_constant` sees NaN and Infinity alone, and 1e999 becomes infinite, too.
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as exc:
        raise ValueError(f"it is not JSON: {exc}") from None
    except _NotFinite:
        raise
    except ValueError:
        # What is left is Python's own bound of an integer's digits, 4,300 by default.
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise _deep() from None


class _NotFinite(ValueError):
    """A number is NaN or infinite."""


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise _NotFinite("a number is NaN or infinite")
    return number


def _deep() -> ValueError:
    return ValueError(f"it is more than {DEEPEST} levels deep")


def _may_have_halves(raw: str | bytes) -> bool:
    """Tell whether a text has an escape for half of a character, or such a half itself."""
    if isinstance(raw, bytes):
        return _HALF_ESCAPED.search(raw) is not None
    return _HALF.search(raw) is not None


def _refuse_bombs(raw: bytes) -> None:
    """Refuse a text of very many or very deep values before any of them is made.

    What stands within strings is left out only where it matters: most texts have few brackets.
    """
    opened = raw.count(b"[") + raw.count(b"{")
    if opened <= DEEPEST and opened + raw.count(b",") <= MOST_VALUES:
        return
    if raw.count(b'"') - raw.count(b'\\"') > 4 * MOST_VALUES:  # a key and a string for each value
        raise TooMany("it has too many values")
    # Of very many strings this takes long, hence the refusal above.
    bare = _STRING.sub(b"", raw)
    # Of too much the first bytes say whether it is deep or wide; the rest is not walked.
    if bare.count(b"[") + bare.count(b"{") + bare.count(b",") > MOST_VALUES:
        raise (
            _deep() if _depth(bare[: 2 * DEEPEST]) > DEEPEST else TooMany("it has too many values")
        )
    if _depth(bare) > DEEPEST:
        raise _deep()


def _depth(bare: bytes) -> int:
    """Count the levels of a JSON text without its strings."""
    steps = bare.translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _mended(value: Any, levels: int) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case str():
            # Two halves that belong together become a character, one alone becomes U+FFFD.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict() | list() | tuple() if not levels:
            return _CUT
        case dict():
            return {
                _mended(str(key), 0): _mended(inner, levels - 1) for key, inner in value.items()
            }
        case list() | tuple():
            return [_mended(inner, levels - 1) for inner in value]
        case _:
            return value
