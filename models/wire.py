"""Wire form of a task on the tasks topic, and the pointer that stands for a large one.

Knows the form; publishing, storing and fetching are left to others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from models import name_patterns, strict_json
from models.errors import InvalidTask
from models.moment import read_moment
from models.task import CALLBACK_EVENTS, ENDS, LONGEST_TTL, Callback, Kind, Task, clean_prefix

LARGEST = 256 * 1024
"""Bytes that SNS takes in one message, its attributes included."""

SUBMISSION = "submission"
"""Attribute that carries a task's identity."""
OWNER = "owner"
"""Attribute by which others' messages may name the API key that a task belongs to."""

REASON = "reason"
"""Attribute of a dead letter that says why it was refused."""

_POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer"
# The second is how the first version of AWS's client library for Java marks a pointer.
_POINTERS = frozenset({_POINTER, "com.amazon.sqs.javamessaging.MessageS3Pointer"})
_LONGEST_KEY = 1024  # bytes of an S3 key
_LONGEST_CONTEXT = 200 * 1024  # its notification has to fit into one message, too
_LONGEST_URL = 2048
_SHOWN = 80  # characters of what is refused that a reason has
_LONGEST_ENDING = 32  # "-1a2b-1000.safetensors" and some


@dataclass(frozen=True, kw_only=True)
class Message:
    """Message on the tasks topic."""

    body: Any
    attributes: Mapping[str, str]
    """String attributes, by which the topic finds the runtime's queue."""

    @cached_property
    def text(self) -> str:
        return strict_json.written(self.body)

    @property
    def size(self) -> int:
        """Bytes as SNS counts them: text, and each attribute's name, type and value."""
        named = "".join(f"{name}String{value}" for name, value in self.attributes.items())
        return len(self.text.encode()) + len(named.encode())

    def sent_as(self, submission: str) -> "Message":
        return replace(self, attributes={**self.attributes, SUBMISSION: submission})

    def stored_at(self, uri: str) -> "Message":
        """Point to this message's text, stored under an ``s3://`` URI, in a message of its own."""
        # By this attribute the client libraries see that the body is a pointer.
        stored = {"ExtendedPayloadSize": str(len(self.text.encode()))}
        return Message(body=pointer_to(uri), attributes={**self.attributes, **stored})


def pointer_to(uri: str) -> list[Any]:
    """Write the body that stands for a stored one, as AWS's extended client libraries do."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return [_POINTER, {"s3BucketName": bucket, "s3Key": key}]


def pointed_uri(body: Any) -> str | None:
    """Read the URI of the stored body from a pointer; None if the body is no pointer."""
    match body:
        case [str(name), {"s3BucketName": str(bucket), "s3Key": str(key)}] if name in _POINTERS:
            return f"s3://{bucket}/{key}"
        case _:
            return None


def message_of(task: Task) -> Message:
    """Write a task as the message that brings it to its runtime; `task_of` reads the body.

    The task's ``owner`` does not travel in it: whose the task is the ledger's row says.
    """
    attributes = {"runtime": task.runtime, SUBMISSION: task.submission}
    return Message(body=body_of(task), attributes=attributes)


def body_of(task: Task) -> dict[str, Any]:
    """Write a task as the body of a message."""
    metadata: dict[str, Any] = {
        "id": task.id,
        "runtime": task.runtime,
        "tasktype": task.kind,
        "prefix": task.prefix,
        "context": task.context,
    }
    if task.callback:
        metadata["callback"] = {"url": task.callback.url, "events": list(task.callback.events)}
    limits = {"ttl": task.ttl, "deadline": task.deadline}
    metadata |= {name: limit for name, limit in limits.items() if limit is not None}
    return {"metadata": metadata, "content": task.content}


def task_of(body: Any, *, runtime: str, submission: str) -> Task:
    """Read the task in a message's body, for the runtime that consumes it.

    Raises:
        InvalidTask: it is not a task, or its artifacts could not be stored.
    """
    metadata = _metadata(body)
    task = Task(
        submission=submission,
        id=_id(metadata.get("id")),
        runtime=runtime,
        kind=_kind(metadata.get("tasktype")),
        prefix=_prefix(metadata.get("prefix")),
        content=body["content"],
        context=_context(metadata.get("context", {})),
        callback=_callback(metadata.get("callback")),
        ttl=_ttl(metadata.get("ttl")),
        deadline=_deadline(metadata.get("deadline")),
    )
    _check_keys(task)
    return task


def checked(task: Task) -> Task:
    """Return a task as `task_of` reads it from its message: prefix cleaned, each event once.

    Raises:
        InvalidTask: its artifacts could not be stored, or its notification would be too large.
    """
    callback = task.callback
    if callback is not None:
        callback = replace(callback, events=tuple(dict.fromkeys(callback.events)))
    clean = replace(
        task, prefix=clean_prefix(task.prefix), context=_context(task.context), callback=callback
    )
    _check_keys(clean)
    return clean


def is_submission(given: str) -> bool:
    """Tell whether a submission can have this identity: 1 to 128 of A-Z, a-z, 0-9, `-`, `_`."""
    return re.fullmatch(name_patterns.SUBMISSION, given) is not None


def is_id(given: str) -> bool:
    """Tell whether a task can have this id: its artifacts' keys are valid, without a prefix."""
    try:
        _check_keys(Task(submission="", id=_id(given), runtime="", kind=""))
    except InvalidTask:
        return False
    return True


def _metadata(body: Any) -> Mapping[str, Any]:
    match body:
        case {"metadata": dict() as metadata, "content": _}:
            return metadata
        case {"metadata": dict()}:
            raise InvalidTask("content is missing")
        case {"metadata": _}:
            raise InvalidTask("metadata is not an object")
        case dict():
            raise InvalidTask("metadata is missing")
        case _:
            raise InvalidTask("the message is not an object")


def _id(given: Any) -> str:
    match given:
        case None | "":
            raise InvalidTask("metadata.id is missing")
        case str() | int() | float():
            return str(given)
        case _:
            raise InvalidTask("metadata.id is not a word")


def _kind(given: Any) -> str:
    """Spell the kind as `Kind` does; a word that no runtime knows stays, and fails there."""
    if not isinstance(given, str):
        return ""
    try:
        return Kind(given).value
    except ValueError:
        return given


def _prefix(given: Any) -> str:
    """Clean the prefix; a publisher may leave it out, and null and "" mean the same."""
    if given is None:
        return ""
    if not isinstance(given, str):
        raise InvalidTask("metadata.prefix is not a string")
    return clean_prefix(given)


def _context(given: Any) -> Any:
    # Written as ASCII, so characters are bytes; SNS counts the escapes, too.
    if len(strict_json.written(given)) > _LONGEST_CONTEXT:
        raise InvalidTask(f"metadata.context is over {_LONGEST_CONTEXT} bytes")
    return given


def _callback(given: Any) -> Callback | None:
    """Read the callback: its URL alone, or the URL and the events that are wanted."""
    match given:
        case None:
            return None
        case str(url):
            return Callback(url=_url(url))
        case {"url": str(url), **rest}:
            return Callback(url=_url(url), events=_events(rest.get("events", ENDS)))
        case _:
            raise InvalidTask("metadata.callback is neither a URL nor an object with a url")


def _ttl(given: Any) -> float | None:
    if given is None:
        return None
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < given <= LONGEST_TTL:
        raise InvalidTask(f"metadata.ttl must be a number of seconds, {LONGEST_TTL} at most")
    return float(given)


def _deadline(given: Any) -> float | None:
    if given is None:
        return None
    try:
        return read_moment(given)
    except ValueError as exc:
        raise InvalidTask(f"metadata.deadline {exc}") from None


def _url(given: str) -> str:
    if not given.startswith(("http://", "https://")) or len(given) > _LONGEST_URL:
        raise InvalidTask("metadata.callback.url is not an http or https URL")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidTask("metadata.callback.url is not Unicode text") from None
    return given


def _events(given: Any) -> tuple[str, ...]:
    asked = given if isinstance(given, list | tuple) else ()
    if not asked or not all(event in CALLBACK_EVENTS for event in asked):
        raise InvalidTask(f"metadata.callback.events must be some of {', '.join(CALLBACK_EVENTS)}")
    return tuple(dict.fromkeys(asked))


def _check_keys(task: Task) -> None:
    """Refuse a task whose artifacts' keys S3 would not take, or that leave their folder."""
    # An id may have slashes; the prefix is clean already, so what changes here is the id.
    if clean_prefix(task.folder) != task.folder:
        raise InvalidTask(f"metadata.id {task.id[:_SHOWN]!r} has empty segments")
    try:
        longest = len(task.stem.encode()) + _LONGEST_ENDING
    except UnicodeEncodeError:
        raise InvalidTask("metadata.id or metadata.prefix is not Unicode text") from None
    if longest > _LONGEST_KEY:
        raise InvalidTask("metadata.id and metadata.prefix are too long for an S3 key")
