"""JSON as the platform reads and writes it: every reader in the world takes it for the same.

Read: UTF-8, no NaN or infinity, no half of a character, at most `DEEPEST` levels. Of two equal keys
of an object the last one counts, as in every JSON reader of Python's.
"""

import json
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

DEEPEST = 200  # levels; far below Python's own limit, which depends on who calls
_CUT = "…"


def read(raw: str | bytes) -> Any:
    """The value in a JSON text.

    Raises:
        ValueError: with what is wrong with it; nothing of the text is quoted.
    """
    value = _parsed(raw)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half of a character (a lone surrogate)") from None
    except ValueError:
        raise ValueError("a number is NaN or infinite") from None
    except RecursionError:
        raise _deep() from None
    if _is_deep(value):
        raise _deep()
    return value


def written(
    value: Any, default: Callable[[Any], Any] | None = None, *, compact: bool = False
) -> str:
    """A value as JSON, whatever a runtime has put into it.

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
        return json.loads(raw.decode() if isinstance(raw, bytes) else raw)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as exc:
        raise ValueError(f"it is not JSON: {exc}") from None
    except ValueError:
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise _deep() from None


def _deep() -> ValueError:
    return ValueError(f"it is more than {DEEPEST} levels deep")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [part for outer in level for part in _parts(outer)]
        if not level:
            return False
    return True


def _parts(outer: Any) -> Iterable[Any]:
    match outer:
        case dict():
            return (part for part in outer.values() if isinstance(part, dict | list))
        case list():
            return (part for part in outer if isinstance(part, dict | list))
        case _:
            return ()


def _mended(value: Any, levels: int) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict() | list() | tuple() if not levels:
            return _CUT
        case dict():
            return {_mended(str(k), 0): _mended(v, levels - 1) for k, v in value.items()}
        case list() | tuple():
            return [_mended(inner, levels - 1) for inner in value]
        case _:
            return value
