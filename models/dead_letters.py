"""Requests and resources of dead letters in ``/v1``, for its server and its client."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from models.native import RuntimeName
from models.report import Status

MOST_CHOSEN = 100
"""Most letters that a request can name by their ids."""
LetterId = Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,100}$")]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class DeadLetterView(_Words):
    """Message that a queue gave up; secrets in its body and attributes are hidden."""

    queue: str
    """Queue that it lies in: the name of its runtime, ``results-callbacks`` for a callback's call,
    ``tasks-unrouted`` or ``tasks-undelivered``."""
    id: str
    """Id of the message in that queue."""
    reason: str
    task: str | None = None
    """Id of its task; null where the message does not say it."""
    submission: str | None = None
    status: Status | None = None
    """Status of the submission in the ledger; null where that does not know it."""
    attempt: int | None = None
    """Number of times that the task was started on a GPU; null where that is not known."""
    sent: float
    """Moment it was sent, in seconds since 1970: by its publisher, or, if ingest refused it, by
    ingest."""
    receives: int
    """Number of times that it was received, as the queue counts, by those who looked at it, too."""
    attributes: dict[str, str] = Field(default_factory=dict)
    body: str
    """Text of the message without SNS's envelope, secrets hidden and long strings cut: to be read,
    not to be sent."""
    size: int
    """Length of the text in characters, uncut."""


class DeadLetterQueueView(_Words):
    name: str
    waiting: int
    """Letters that can be received now, about."""


class DeadLetterList(_Words):
    """Page of dead letters, the newest first."""

    letters: tuple[DeadLetterView, ...]
    queues: tuple[DeadLetterQueueView, ...]
    next: str | None = None
    """``cursor`` of the next page; null at the end."""
    complete: bool
    """Flag: every letter that could be received was looked at; of more than a thousand in a queue
    some were not."""


class _Choice(_Words):
    model_config = ConfigDict(extra="forbid")

    ids: Annotated[tuple[LetterId, ...], Field(max_length=MOST_CHOSEN)] = ()
    """Ids of the letters."""
    all: StrictBool = False
    """Choose all letters of the queue instead."""
    before: Annotated[float, Field(ge=0)] | None = None
    """Moment until which letters of ``all`` were sent, in seconds since 1970; now if left out."""


class RedriveRequest(_Choice):
    """Letters to be sent again to the queue that they came from."""

    to: RuntimeName | None = None
    """Runtime whose queue they are sent to instead; needed for what came from no queue."""
    edit: dict[str, Any] | None = None
    """JSON merge patch (RFC 7396) of the message of one letter: ``{"content": {"steps": 20}}``."""
    anew: StrictBool = False
    """Send them as submissions of their own, which are drawn though the first have ended."""


class PurgeRequest(_Choice):
    """Letters to be deleted for good."""


class LetterOutcome(_Words):
    """Outcome for one letter."""

    id: str
    outcome: Literal["sent", "deleted", "missing"]
    task: str | None = None
    submission: str | None = None
    """Submission that was sent."""
    status: Status | None = None
    """Status of that submission before it was sent; null where the ledger does not know it."""
    note: str | None = None
    """Words on what will come of it, where that is not what one would expect."""


class LetterOutcomes(_Words):
    outcomes: tuple[LetterOutcome, ...]
    more: bool
    """Flag: not all letters were seen; the same request, with ``before``, goes on."""
    before: float
    """Moment that counted as ``before``."""
