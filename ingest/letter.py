"""Letter: a message that was given up, as people read it, and the message that redrives it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingest.envelope import submission_of, unwrapped
from models import strict_json
from models.errors import InvalidTask
from models.ports import Delivery, Queue, Topic
from models.wire import LARGEST, OWNER, REASON, SUBMISSION, is_submission, pointed_uri, task_of

_MOST_ATTRIBUTES = 10  # SQS refuses a message with more
_NEEDED = frozenset({OWNER, SUBMISSION})
"""Attributes that decide what a message is the submission of, and whose."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterQueue:
    """Queue of dead letters, and where they came from."""

    name: str
    """Name by which people call it: its runtime's, or the queue's without the stack's name."""
    letters: Queue
    source: Topic | None
    """Topic that leads to the queue that the letters were in; None: they were in none."""
    usual_reason: str
    """Reason of letters that have none of their own."""
    of_calls: bool = False
    """Flag: the letters are callback calls, and no tasks."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """Dead letter, without SNS's envelope."""

    queue: DeadLetterQueue
    delivery: Delivery
    text: str
    """Text of the message as it was published."""
    attributes: Mapping[str, str]
    """String attributes of the message as it was published."""
    submission: str | None
    task: str | None
    """Id of its task; None where the text does not say it."""

    @classmethod
    def of(cls, queue: DeadLetterQueue, delivery: Delivery) -> "Letter":
        outer = {name: text for name, text in delivery.attributes.items() if name != REASON}
        try:
            text, inner, message_id = unwrapped(delivery)
        except InvalidTask:
            text, inner, message_id = delivery.body, outer, delivery.id
        body = _parsed(text)
        inner.pop(REASON, None)
        submission = _word(body, "submission") if queue.of_calls else None
        submission = submission or submission_of(inner, message_id)
        return cls(
            queue=queue,
            delivery=delivery,
            text=text,
            attributes=inner,
            submission=submission if is_submission(submission) else None,
            task=_word(body, "id") if queue.of_calls else _task_id(body),
        )

    @property
    def id(self) -> str:
        """Id of the message in the queue of dead letters."""
        return self.delivery.id

    @property
    def reason(self) -> str:
        return self.delivery.attributes.get(REASON) or self.queue.usual_reason

    @property
    def other_submission(self) -> str:
        """Identity of the submission that this letter is redriven as, where that is to be another.

        It is the same each time, so that two messages of one letter are one submission.
        """
        name = f"{self.queue.name}/{self.id}".encode()
        return hashlib.sha256(name).hexdigest()[:32]

    def changed(self, edit: Mapping[str, Any] | None, *, anew: bool) -> "Letter":
        """Return the letter as it is redriven: with an edit, or anew, as another submission.

        ``edit`` is a JSON merge patch (RFC 7396) of its text.

        Raises:
            InvalidTask: with the edit it is no task, or it cannot be edited.
        """
        if edit is None and not anew:
            return self
        text = self.text if edit is None else self._edited(edit)
        return replace(
            self,
            delivery=replace(self.delivery, body=text, attributes=self.attributes),
            text=text,
            submission=self.other_submission if anew else self.submission,
            task=self.task if edit is None else _task_id(_parsed(text)),
        )

    def message(self) -> tuple[str, Mapping[str, str]]:
        """Write the message that redrives the letter: its body, and its own attributes.

        By those it is the same submission, or by one more.
        """
        kept = {name: text for name, text in self.delivery.attributes.items() if name != REASON}
        is_wrapped = self.text != self.delivery.body
        # SQS gives what is sent again another id, which was the identity of one without any other.
        if not (self.queue.of_calls or is_wrapped or self.submission is None):
            kept[SUBMISSION] = self.submission
        return self.delivery.body, _fitting(kept)

    def _edited(self, edit: Mapping[str, Any]) -> str:
        body = _parsed(self.text)
        if (uri := pointed_uri(body)) is not None:
            raise InvalidTask(f"its content lies in {uri}: send the task anew instead")
        edited = _patched(body, edit)
        try:
            task_of(edited, runtime="", submission=self.submission or "")
        except InvalidTask as exc:
            if body is None:
                raise InvalidTask(
                    f"{exc} (the message is no JSON: edit is the whole new one)"
                ) from exc
            raise
        text = strict_json.written(edited)
        if len(text.encode()) > LARGEST:
            raise InvalidTask(f"the message would be over {LARGEST} bytes")
        return text


def _fitting(attributes: Mapping[str, str]) -> Mapping[str, str]:
    """Leave out attributes that SQS would not take besides others, but none of `_NEEDED`."""
    # False is sorted before True, so that the needed ones come first and are kept.
    names = sorted(attributes, key=lambda name: name not in _NEEDED)
    return {name: attributes[name] for name in names[:_MOST_ATTRIBUTES]}


def _patched(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    kept = dict(value) if isinstance(value, dict) else {}
    for name, change in patch.items():
        if change is None:
            kept.pop(name, None)
        else:
            kept[name] = _patched(kept.get(name), change)
    return kept


def _parsed(text: str) -> Any:
    try:
        return strict_json.read(text)
    except ValueError:
        return None


def _task_id(body: Any) -> str | None:
    """Read the id of a task from the body of its message."""
    return _word(body.get("metadata"), "id") if isinstance(body, dict) else None


def _word(body: Any, name: str) -> str | None:
    """Read a word from a body, where it is one."""
    found = body.get(name) if isinstance(body, dict) else None
    return str(found) if isinstance(found, str | int | float) and found != "" else None
