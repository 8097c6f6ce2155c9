"""Plain words for pydantic's errors, which name Python's types to people who write YAML or JSON."""

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

_LIST = "must be a list"
_WHOLE = "must be a whole number"
_NUMBER = "must be a number"
_FLAG = "must be true or false"
_WORDS = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "model_type": "must be {mapping}",
    "model_attributes_type": "must be {mapping}",
    "dataclass_type": "must be {mapping}",
    "dict_type": "must be {mapping}",
    "mapping_type": "must be {mapping}",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "recursion_loop": "is nested too deeply",
}
"""Words by the type of error; all others keep pydantic's, which are plain enough."""


def plain(error: ErrorDetails | Mapping[str, Any], *, mapping: str = "an object") -> str:
    """Say what is wrong with a value, without the value; ``mapping`` is the word for one."""
    match error["type"]:
        case "too_short":
            return f"must have at least {_items(error['ctx']['min_length'])}"
        case "too_long":
            return f"must have at most {_items(error['ctx']['max_length'])}"
        case str(kind) if kind in _WORDS:
            return _WORDS[kind].format(mapping=mapping)
    # pydantic puts these words before the text of an error that a validator raises.
    said = str(error["msg"])
    return said.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"
