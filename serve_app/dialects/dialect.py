"""Dialect as a value: its path, its parser and its description for OpenAPI."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from serve_app.dialects.rules import Accepted, ParseContext


class Parse(Protocol):
    """Function that reads a request's body as a task."""

    def __call__(self, raw: bytes, context: ParseContext) -> Accepted:
        """Read the task in a body, without any other effect.

        Raises:
            Refused: it is no task; the text is the answer.
        """


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """Inbound HTTP shape of a task, as one of the reference's versions has it."""

    name: str
    """Path of its operation, without the slash; also its name in logs."""
    parse: Parse
    request: Mapping[str, Any]
    """JSON Schema of the body, for OpenAPI."""
    answer: Mapping[str, Any]
    """JSON Schema of the answer to a task that was accepted, for OpenAPI."""
    examples: Mapping[str, Any]
    """Bodies as OpenAPI's example objects, by name."""
