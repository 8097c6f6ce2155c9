"""Faults of a task's content: found before any replica is asked, and told in few words."""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.errors import TaskFailed
from models.plain import plain
from models.settings.base import Group, Loc, path_of

JsonSchema = Mapping[str, Any]

MOST_FAULTS = 50
"""Most faults that are looked for in one content."""
MOST_FIELDS = 1_000
"""Most fields of an object whose every field is looked at."""
MOST_ITEMS = 10_000
"""Most items of a list whose every item is looked at."""
_TOLD = 20
"""Most faults that a message lists."""
_LONGEST = 40
"""Characters of a value that are shown; a longer one may be a picture, and is only counted."""
_LONGEST_NAME = 80  # characters


@dataclass(frozen=True)
class Fault:
    """Fault of a task's content, and what to do about it."""

    field: str
    """Path within the content, such as ``imageList[0].data``; empty for all of it."""
    message: str

    def __str__(self) -> str:
        return f"{self.field or 'content'}: {self.message}"


class Content(ABC):
    """Rules for the content of a kind of task, for a type of runtime."""

    @abstractmethod
    def faults(self, content: Any, options: Group) -> Sequence[Fault]:
        """Find everything that is wrong in a content, under a runtime's options."""

    @abstractmethod
    def schema(self, options: Group) -> JsonSchema:
        """Describe what is accepted as a JSON Schema, for forms and people.

        What it accepts has no `faults` but for rules between fields; the other way round more is
        taken: null for a field that is left out, a number that is written as text.
        """


def inlined(schema: JsonSchema) -> JsonSchema:
    """Put definitions in the places that refer to them, so that a schema can stand anywhere."""
    # No model of ours contains itself: of one that did, this would never come to an end.
    definitions = schema.get("$defs", {})

    def whole(part: Any) -> Any:
        match part:
            case {"$ref": str(reference), **more}:
                return {**whole(definitions[reference.rpartition("/")[2]]), **more}
            case dict():
                return {key: whole(value) for key, value in part.items() if key != "$defs"}
            case list():
                return [whole(value) for value in part]
            case _:
                return part

    made: JsonSchema = whole(schema)
    return made


def refuse(faults: Sequence[Fault]) -> None:
    """Refuse a content that has faults.

    Raises:
        TaskFailed: naming each wrong field.
    """
    if faults:
        raise TaskFailed(in_one_line(faults))


def in_one_line(faults: Sequence[Fault]) -> str:
    """Write faults in one line."""
    more = "; and more" if len(faults) > _TOLD else ""
    return "; ".join(map(str, faults[:_TOLD])) + more


def first(faults: Iterable[Fault]) -> list[Fault]:
    """Take the first faults, `MOST_FAULTS` at most; the rest is not even looked for."""
    return list(islice(faults, MOST_FAULTS))


def faults_in(error: ValidationError, under: Loc = ()) -> Iterable[Fault]:
    """Turn what pydantic found into faults."""
    for detail in error.errors(include_url=False)[:MOST_FAULTS]:
        yield Fault(path_of((*under, *detail["loc"])), _message(detail))


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    text = plain(detail)
    return text if detail["type"] == "value_error" else f"{text} (given: {shown(detail['input'])})"


def shown(value: Any) -> str:
    """Write a value for a message: never a picture, and short whatever it is."""
    match value:
        case str() if len(value) > _LONGEST:
            return f"a text of {len(value)} characters"
        case dict():
            return f"an object of {len(value)}"
        case list() | tuple() if value:
            return f"a list of {len(value)}"
        # Python refuses to write an integer of more than 4,300 digits.
        case int() if abs(value) > 10**_LONGEST:
            return "a number of many digits"
        case _:
            return repr(value)


def unknown(name: str, known: Iterable[str], noun: str = "field") -> str:
    """Say that a field is not known, and which one was probably meant."""
    if (near := nearest(name, known)) is not None:
        return f"unknown {noun}; did you mean {near!r}?"
    return f"unknown {noun}; leave it out"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Find the known name that a misspelt one is closest to, in any case; None where none is close.

    Nothing is close to a name of more than 80 characters, which is not compared.
    """
    # difflib compares each letter with each, and the text is a stranger's.
    if len(name) > _LONGEST_NAME:
        return None
    spelled = {each.lower(): each for each in known}
    found = difflib.get_close_matches(name.lower(), spelled, 1, cutoff)
    return spelled[found[0]] if found else None
