"""Task: one request for pictures, its callback, and the keys of its artifacts."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, get_args

from models.errors import InvalidTask

_DIGITS = 16
"""Hex digits of a submission in a key: with 64 bits no two submissions of one id ever meet."""


LONGEST_TTL = 14 * 86_400
"""Seconds for which a task may be let wait: a queue keeps no message for longer."""
_SHOWN = 80  # characters of what is refused that a reason has


class Kind(StrEnum):
    """Kind of a task; on the wire ``tasktype``."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    EXTRA_SINGLE_IMAGE = "extra-single-image"
    EXTRA_BATCH_IMAGES = "extra-batch-images"
    PIPELINE = "pipeline"

    @classmethod
    def _missing_(cls, value: object) -> "Kind | None":
        # The reference agent answers only to the singular, its guide writes the plural.
        return cls.EXTRA_BATCH_IMAGES if value == "extra-batch-image" else None


CallbackEvent = Literal["running", "completed", "failed", "cancelled"]
"""Status of a task that its callback may be called for."""
CALLBACK_EVENTS: tuple[CallbackEvent, ...] = get_args(CallbackEvent)
ENDS: tuple[CallbackEvent, ...] = ("completed", "failed", "cancelled")
"""Events with which a task is over; a callback is called for these unless it names others."""


@dataclass(frozen=True, kw_only=True)
class Callback:
    """URL to call, by a signed POST, when a task reaches one of the events."""

    url: str
    events: tuple[str, ...] = ENDS


@dataclass(frozen=True, kw_only=True)
class Call:
    """Callback call: one try to tell a callback's URL of one event."""

    event: str
    at: float
    """Moment of the call, in seconds since 1970."""
    status: int | None = None
    """HTTP status that came back, if any did."""
    error: str | None = None
    """Reason why the call was no success."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Task: one submission of a request for pictures."""

    submission: str
    """Identity of this sending: the same in every redelivery, new in every resubmission."""
    id: str
    """Name that the client gave the task; may be used again."""
    runtime: str
    kind: str
    """Value of `Kind`, or a word that no runtime knows (then the task fails)."""
    prefix: str = ""
    content: Any = field(default_factory=dict)
    """Request of the runtime: any JSON."""
    context: Any = field(default_factory=dict)
    """JSON of the client's own, echoed in the notification."""
    callback: Callback | None = None
    ttl: float | None = None
    """Longest wait in the queue until the task begins, in seconds; None: any."""
    deadline: float | None = None
    """Moment after which the task is not wanted any more, in seconds since 1970; None: never."""
    owner: str | None = None
    """Name of the API key that the message says the task belongs to, if that is believed.
    The ledger keeps the first name that it is told."""

    @property
    def folder(self) -> str:
        """Key under which all objects of this id lie, without a slash at its end."""
        return f"{self.prefix}/{self.id}" if self.prefix else self.id

    @property
    def stem(self) -> str:
        """Start of every key of this submission: a retry overwrites, a resubmission does not."""
        digest = hashlib.sha256(self.submission.encode()).hexdigest()[:_DIGITS]
        return f"{self.folder}/{self.id}-{digest}"

    @property
    def output_key(self) -> str:
        """Key of the ``.out``: the runtime's whole answer as JSON, or why the task failed."""
        return f"{self.stem}.out"

    def artifact_key(self, n: int, extension: str) -> str:
        """Key of artifact ``n``, from 1; the extension begins with a dot."""
        return f"{self.stem}-{n}{extension}"

    def log_context(self) -> Mapping[str, str]:
        return {"task": self.id, "submission": self.submission, "runtime": self.runtime}


def clean_prefix(prefix: str) -> str:
    """Collapse slashes, and refuse a prefix that leaves its folder.

    Raises:
        InvalidTask: a segment is ``..``, or a control character is in it.
    """
    parts = [part for part in prefix.split("/") if part]
    if ".." in parts or "." in parts:
        raise InvalidTask(f"prefix {prefix[:_SHOWN]!r} has a '.' or '..' segment")
    if any(ord(char) < ord(" ") for char in prefix):
        raise InvalidTask(f"prefix {prefix[:_SHOWN]!r} has a control character")
    return "/".join(parts)
