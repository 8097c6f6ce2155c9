"""Envelope: makes a task of a delivery, unwrapping SNS and following a payload's pointer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models import name_patterns, strict_json
from models.errors import InvalidTask
from models.ports import Delivery, Objects
from models.s3_link import s3_link
from models.task import Task
from models.wire import OWNER, SUBMISSION, is_submission, pointed_uri, task_of

_SHOWN = 200
"""Most characters of a pointer that a reason quotes."""


@dataclass(frozen=True)
class Envelope:
    """Opens the deliveries of one runtime's queue."""

    runtime: str
    objects: Objects
    payloads: str
    """``s3://`` URI under which payloads too large for a message lie; no other one is followed."""
    limit: int
    """Most bytes of a payload."""
    trusts_owner: bool = False
    """Flag: the message attribute ``owner`` is believed."""

    async def open(self, delivery: Delivery) -> Task:
        """Read the task in a delivery.

        Raises:
            InvalidTask: there is none, and there would be none in another delivery of it.
            Unavailable: the payload could not be fetched now.
        """
        text, attributes, message_id = unwrapped(delivery)
        body = _parsed(text)
        uri = pointed_uri(body)
        if uri is not None:
            body = _parsed(await self._payload(uri))
        submission = submission_of(attributes, message_id)
        # It becomes part of a key, and DynamoDB refuses an empty or very long one each time anew.
        if not is_submission(submission):
            raise InvalidTask("its MessageId is not 1 to 128 of A-Z, a-z, 0-9, '-' and '_'")
        task = task_of(body, runtime=self.runtime, submission=submission)
        owner = attributes.get(OWNER, "") if self.trusts_owner else ""
        return replace(task, owner=owner if re.fullmatch(name_patterns.API_KEY, owner) else None)

    async def _payload(self, uri: str) -> bytes:
        # Who may publish could else have any object read that ingest may read.
        if not uri.startswith(self.payloads) or not _is_object(uri):
            raise InvalidTask(f"payload {uri[:_SHOWN]} is not under {self.payloads}")
        try:
            payload = await self.objects.get(uri, limit=self.limit)
        except ValueError:
            raise InvalidTask(f"payload {uri} is over {self.limit} bytes") from None
        if payload is None:
            raise InvalidTask(f"payload {uri} is missing")
        return payload


def _is_object(uri: str) -> bool:
    try:
        s3_link(uri)
    except ValueError:
        return False
    return True


def submission_of(attributes: Mapping[str, str], message_id: str) -> str:
    """Find the identity of a message's submission, which may be none that a submission can have."""
    given = attributes.get(SUBMISSION, "")
    return given if is_submission(given) else message_id


def unwrapped(delivery: Delivery) -> tuple[str, dict[str, str], str]:
    """Find text, attributes and id of a message that was delivered raw or in SNS's own JSON.

    Raises:
        InvalidTask: it is no JSON.
    """
    outer = _parsed(delivery.body)
    match outer:
        # A raw message is JSON, too; only SNS's three names together make an envelope.
        case {"Type": "Notification", "Message": str(text), "MessageId": str(message_id)}:
            return text, _attributes(outer.get("MessageAttributes")), message_id
        case _:
            return delivery.body, dict(delivery.attributes), delivery.id


def _attributes(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        return {}
    return {
        name: value["Value"]
        for name, value in given.items()
        if isinstance(value, dict) and isinstance(value.get("Value"), str)
    }


def _parsed(text: str | bytes) -> Any:
    try:
        return strict_json.read(text)
    except ValueError as exc:
        raise InvalidTask(f"the message is no proper JSON: {exc}") from None
