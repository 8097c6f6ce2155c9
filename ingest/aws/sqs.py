"""Queues of SQS, with their dead letters."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.aws.batch import Batch
from ingest.aws.client import Clients, calling, publishing
from models.errors import Unavailable
from models.ports import Delivery, Queue, Topic
from models.wire import OWNER, REASON, SUBMISSION

if TYPE_CHECKING:
    from types_aiobotocore_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        MessageAttributeValueOutputTypeDef,
        MessageTypeDef,
    )

log = logging.getLogger("ray.serve.atelier.ingest")

_LONGEST_REASON = 1_000  # characters
_BATCH_SECONDS = 10  # a call that hangs must not cost the leases that wait behind it
_MOST_ATTRIBUTES = 10  # SQS refuses a message with more
_NEEDED = frozenset({OWNER, SUBMISSION})
"""Attributes by which a dead letter that is sent again is the same submission."""
_STALE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"})
"""Codes for a receipt that is outdated, or whose message is gone: nothing is left to do."""


class SqsSender(Topic):
    """Topic that is one queue of SQS, found by its name."""

    def __init__(self, clients: Clients, name: str) -> None:
        self.clients = clients
        self._url = _Url(clients, name)

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        async with publishing(self.clients.sqs(), "SQS SendMessage") as sqs:
            await sqs.send_message(
                QueueUrl=await self._url(),
                MessageBody=message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                },
            )


class SqsQueue(Queue):
    """Queue of SQS, found by its name; ``wait_seconds`` is its long poll, 20 at most."""

    def __init__(
        self, clients: Clients, *, name: str, dead_letters: str, wait_seconds: int = 20
    ) -> None:
        self.clients = clients
        self.name = name
        self.wait_seconds = wait_seconds
        self._url = _Url(clients, name)
        self._dead_letters = SqsSender(clients, dead_letters)
        self._acks: Batch[Delivery] = Batch(self._delete)
        self._extensions: Batch[_Extension] = Batch(self._change_visibility)

    async def receive(self, most: int) -> Sequence[Delivery]:
        url = await self._url()
        parameters = {
            "QueueUrl": url,
            "MaxNumberOfMessages": most,
            "WaitTimeSeconds": self.wait_seconds,
            # SQS gives neither attributes nor counts unless it is asked for them.
            "MessageAttributeNames": ["All"],
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
        }
        async with calling(self.clients.direct("sqs"), "SQS ReceiveMessage") as sqs:
            answer = await sqs.call("ReceiveMessage", parameters)
            return [_delivery(message) for message in answer.get("Messages", [])]

    async def extend(self, delivery: Delivery, seconds: int) -> None:
        await self._extensions.add(_Extension(delivery, seconds))

    async def ack(self, delivery: Delivery) -> None:
        await self._acks.add(delivery)

    async def reject(self, delivery: Delivery, reason: str) -> None:
        attributes = _with_reason(delivery.attributes, reason)
        # In this order: a crash in between leaves the message twice, the other way round nowhere.
        await self._dead_letters.publish(delivery.body, attributes)
        await self.ack(delivery)

    async def backlog(self) -> int:
        url = await self._url()
        async with calling(self.clients.sqs(), "SQS GetQueueAttributes") as sqs:
            answer = await sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    async def _delete(self, deliveries: Sequence[Delivery]) -> Sequence[Exception | None]:
        url = await self._url()
        entries = [
            {"Id": str(n), "ReceiptHandle": each.receipt} for n, each in enumerate(deliveries)
        ]
        async with calling(self.clients.direct("sqs"), "SQS DeleteMessageBatch") as sqs:
            async with asyncio.timeout(_BATCH_SECONDS):
                answer = await sqs.call("DeleteMessageBatch", {"QueueUrl": url, "Entries": entries})
            return self.errors(deliveries, answer.get("Failed", []))

    async def _change_visibility(
        self, extensions: "Sequence[_Extension]"
    ) -> Sequence[Exception | None]:
        url = await self._url()
        entries = [
            {
                "Id": str(n),
                "ReceiptHandle": each.delivery.receipt,
                "VisibilityTimeout": each.seconds,
            }
            for n, each in enumerate(extensions)
        ]
        async with calling(self.clients.direct("sqs"), "SQS ChangeMessageVisibilityBatch") as sqs:
            async with asyncio.timeout(_BATCH_SECONDS):
                answer = await sqs.call(
                    "ChangeMessageVisibilityBatch", {"QueueUrl": url, "Entries": entries}
                )
            return self.errors([each.delivery for each in extensions], answer.get("Failed", []))

    def errors(
        self, deliveries: Sequence[Delivery], failed: "Sequence[BatchResultErrorEntryTypeDef]"
    ) -> Sequence[Exception | None]:
        """Return for each delivery what went wrong with its entry of a batch call."""
        # A batch is answered 200 even if entries failed; some codes have a namespace before a dot.
        codes = {int(each["Id"]): each["Code"].rpartition(".")[2] for each in failed}
        return [self._error(each, codes.get(n)) for n, each in enumerate(deliveries)]

    def _error(self, delivery: Delivery, code: str | None) -> Exception | None:
        if code in _STALE:
            fields = {"queue": self.name, "message_id": delivery.id, "code": code}
            log.warning("receipt_stale", extra=fields)
        elif code is not None:
            return Unavailable(f"SQS {self.name}: {code}")
        return None


class _Url:
    """URL of a queue, looked up by its name once."""

    def __init__(self, clients: Clients, name: str) -> None:
        self.clients = clients
        self.name = name
        self._known: str | None = None

    async def __call__(self) -> str:
        if self._known is None:
            async with calling(self.clients.sqs(), "SQS GetQueueUrl") as sqs:
                self._known = (await sqs.get_queue_url(QueueName=self.name))["QueueUrl"]
        return self._known


@dataclass(frozen=True)
class _Extension:
    delivery: Delivery
    seconds: int


def _delivery(message: "MessageTypeDef") -> Delivery:
    return Delivery(
        id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes=_texts(message.get("MessageAttributes", {})),
        attempt=int(message["Attributes"]["ApproximateReceiveCount"]),
        sent=int(message["Attributes"]["SentTimestamp"]) / 1_000,
    )


def _texts(
    attributes: "Mapping[str, MessageAttributeValueOutputTypeDef]",
) -> Mapping[str, str]:
    """Pick the attributes that are text or number; a binary one means nothing to a task."""
    return {
        name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value
    }


def _with_reason(attributes: Mapping[str, str], reason: str) -> Mapping[str, str]:
    """Add the reason; where there is no room leave out others, but none of `_NEEDED`."""
    # False is sorted before True, so that the needed ones come first and are kept.
    others = sorted(attributes.keys() - {REASON}, key=lambda name: name not in _NEEDED)
    kept = {name: attributes[name] for name in others[: _MOST_ATTRIBUTES - 1]}
    # SQS refuses an empty value.
    return kept | {REASON: _printable(reason) or "rejected"}


def _printable(reason: str) -> str:
    """Cut a reason to size, without the control characters that SQS refuses."""
    return "".join(char if char.isprintable() else " " for char in reason)[:_LONGEST_REASON].strip()
