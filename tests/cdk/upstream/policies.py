"""IAM statements in one form for ours and upstream's: action, resource, condition."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cdk.graph import listed, text

Statement = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Grant:
    """Action on a resource: statements that are grouped differently may allow the same."""

    action: str
    resource: str
    condition: str
    """Condition in JSON, with its keys and values sorted; ``{}`` where there is none."""

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} if {self.condition}"


def grants(statements: Sequence[Statement], names: Mapping[str, str]) -> set[Grant]:
    """Return all that statements allow; ``names`` translates another template's references."""
    return {each for statement in statements for each in _grants(statement, names)}


def _grants(statement: Statement, names: Mapping[str, str]) -> Iterator[Grant]:
    assert statement["Effect"] == "Allow"
    condition = json.dumps(ordered(statement.get("Condition", {})), sort_keys=True)
    for action in listed(statement["Action"]):
        for resource in listed(statement["Resource"]):
            yield Grant(action, renamed(text(resource), names), renamed(condition, names))


def ordered(value: Any) -> Any:
    """Return a condition with its references as text, and a list's values in order."""
    match value:
        case {"Ref": _} | {"Fn::GetAtt": _} | {"Fn::Join": _}:
            return text(value)
        case dict():
            return {key: ordered(part) for key, part in value.items()}
        case list():
            return sorted(ordered(part) for part in value)
        case _:
            return value


def renamed(said: str, names: Mapping[str, str]) -> str:
    """Replace words by others, in the order of ``names``."""
    for name, word in names.items():
        said = said.replace(name, word)
    return said
