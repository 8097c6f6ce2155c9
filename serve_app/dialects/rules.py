"""Rules that the bodies of all dialects keep.

A refusal's text is part of the contract with clients; it is the answer, byte for byte.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models import strict_json
from models.errors import InvalidTask
from models.settings.groups import Runtime
from models.task import Kind, Task
from models.wire import Message, task_of
from serve_app.runtimes import Runtimes

INVALID = "Invalid request format"
TOO_LARGE = "payload too large"


class Refused(InvalidTask):
    """Body that is refused; the text is the answer."""


@dataclass(frozen=True, kw_only=True)
class ParseContext:
    """Values of the configuration by which bodies are read."""

    runtimes: Runtimes
    output_bucket: str
    max_payload_bytes: int
    """Bytes of the largest task as JSON with escaped characters."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """Body that was accepted, as the task that it is."""

    task: Task
    """Task as its runtime will read it from the message; without a submission yet."""
    message: Message
    """Message as it will be published, but for the submission."""
    answer: Mapping[str, str]
    """JSON of the answer, in the order of its keys."""


def incorrect(reason: str) -> Refused:
    return Refused(f"Incorrect payload structure, {reason}")


def read(raw: bytes) -> Any:
    """Read the JSON in a body.

    Raises:
        Refused: it is no JSON that every reader takes for the same, or has too many values.
    """
    try:
        return strict_json.read(raw)
    except strict_json.TooMany:
        raise incorrect(TOO_LARGE) from None
    except ValueError:
        raise Refused(INVALID) from None


def refuse_large(body: Any, limit: int) -> None:
    if len(strict_json.written(body)) > limit:
        raise incorrect(TOO_LARGE)


def refuse_last(faults: Iterable[str]) -> None:
    """Refuse a body for the last of its faults: clients know the texts in this order."""
    # All are looked for first: a rule that raises by itself wins over the faults before it.
    for fault in list(faults)[-1:]:
        raise incorrect(fault)


def is_name(given: Any) -> bool:
    """Tell whether a value is a name: letters and digits of any script, ``-`` and ``_``.

    It has at least one letter or digit.
    """
    return isinstance(given, str) and given.replace("-", "").replace("_", "").isalnum()


def is_kind(given: Any) -> bool:
    try:
        Kind(given)
    except ValueError:
        return False
    return True


def task_in(body: Mapping[str, Any], runtime: Runtime, runtimes: Runtimes) -> Task:
    """Read the task that its runtime will find in a message's body.

    Raises:
        Refused: there is no prefix, its artifacts could not be stored, or the runtime cannot
            do what it asks for.
    """
    try:
        task = task_of(body, runtime=runtime.name, submission="")
    except InvalidTask:
        raise Refused(INVALID) from None
    if not task.prefix:
        raise Refused(INVALID)
    if task.kind not in runtimes.kinds(runtime.name):
        raise incorrect("tasktype not supported by runtime")
    return task
