"""Parameters of the native API's operations."""

from typing import Annotated

from fastapi import Header, Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.convertors import Convertor, register_url_convertor
from typing_extensions import override

from models import name_patterns
from models.dead_letters import LetterId as LetterIdentity
from models.moment import MOMENT_SCHEMA, read_moment
from models.native import RuntimeName
from models.report import Status
from models.wire import is_id
from serve_app.native.problems import ProblemKind

MANY = frozenset({"status", "runtime"})
"""Names of the query parameters that may be repeated."""

_LONGEST_ID = 512
_MOST_RUNTIMES = 20
_SUBMISSION = f"^{name_patterns.SUBMISSION}$"


class TaskIdConvertor(Convertor[str]):
    """Convertor of a task's id in a path: with slashes, but without the ends of other paths."""

    # Nowhere in an id may the rest of the path be `/events` or `/artifacts/N`: those end the paths
    # of other operations, which a greedy id would swallow.
    regex = r"(?:(?!/events$|/artifacts/[^/]*$).)+"

    @override
    def convert(self, value: str) -> str:
        return value

    @override
    def to_string(self, value: str) -> str:
        return value


class LetterIdConvertor(Convertor[str]):
    """Convertor of a dead letter's id in a path, which is none of the words that act on letters."""

    regex = r"(?!(?:redrive|purge)$)[^/]+"

    @override
    def convert(self, value: str) -> str:
        return value

    @override
    def to_string(self, value: str) -> str:
        return value


# Now, since Starlette looks convertors up as soon as a route is made.
register_url_convertor("task", TaskIdConvertor())
register_url_convertor("letter", LetterIdConvertor())


def _moment(given: object) -> float:
    """Read a moment from a URL, where a plus sign that is not escaped is a blank."""
    try:
        return read_moment(given)
    except ValueError as exc:
        raise ValueError(f"{exc} (a '+' in it is sent as %2B)") from None


def _possible_id(given: str) -> str:
    """Return an id if a task could have it; the ledger is asked for no other."""
    if not is_id(given):
        raise ProblemKind.NOT_FOUND.problem("No task can have this id.")
    return given


Moment = Annotated[float, BeforeValidator(_moment), WithJsonSchema(MOMENT_SCHEMA)]
TaskId = Annotated[
    str,
    Path(max_length=_LONGEST_ID, description="The task's id."),
    AfterValidator(_possible_id),
]
Number = Annotated[int, Path(ge=0, description="Its place, from 1; 0 is the whole answer.")]
QueueName = Annotated[
    RuntimeName,
    Path(
        description="Queue of dead letters: a runtime's name, `results-callbacks`,"
        " `tasks-unrouted` or `tasks-undelivered`."
    ),
]
LetterId = Annotated[LetterIdentity, Path(description="Id of the message in that queue.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Any text of yours; the same request with the same key is done once in a day.",
    ),
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID", description="Id of the last event that was read, to go on there."
    ),
]


class _Query(BaseModel):
    # A misspelt parameter is refused: without its ?submission= another task might be cancelled.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class NoQuery(_Query):
    """Query of an operation without parameters."""


class SubmissionQuery(_Query):
    submission: Annotated[str, Field(pattern=_SUBMISSION)] | None = None
    """Which sending of this id; the newest if left out."""


class WaitQuery(_Query):
    wait: Annotated[float, Field(ge=0, le=60)] = 0
    """Seconds to wait for its end before answering."""


class ListQuery(_Query):
    status: tuple[Status, ...] = ()
    """Status of the tasks listed; the parameter may be repeated."""
    runtime: Annotated[tuple[RuntimeName, ...], Field(max_length=_MOST_RUNTIMES)] = ()
    """Runtime of the tasks listed; the parameter may be repeated."""
    key: str | None = None
    """Name of the API key that the tasks belong to; only operators may name another's."""
    since: Moment = 0
    """Created at or after."""
    until: Moment | None = None
    """Created before."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=4096)] | None = None
    """``next`` of the page before; the other parameters stay as they were."""


class LetterQuery(_Query):
    queue: RuntimeName | None = None
    """Queue of dead letters, by the name of its runtime, ``results-callbacks``,
    ``tasks-unrouted`` or ``tasks-undelivered``; all if left out."""
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(max_length=4096)] | None = None
    """``next`` of the page before; ``queue`` stays as it was."""
