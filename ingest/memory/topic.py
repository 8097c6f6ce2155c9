"""Topic in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from ingest.memory.queue import MemoryQueue
from models import strict_json
from models.errors import PublicationRefused
from models.ports import Topic
from models.wire import LARGEST

Accepts = Callable[[Mapping[str, str]], bool]
"""Filter of a subscription: tell by a message's attributes whether the queue gets it."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Message as it was published."""

    message: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Subscription:
    queue: MemoryQueue
    accepts: Accepts
    raw: bool


class MemoryTopic(Topic):
    """Topic that remembers what was published, and sends it to the queues that accept it."""

    def __init__(self, arn: str = "arn:aws:sns:us-east-1:000000000000:memory") -> None:
        self.arn = arn
        self.published: list[Published] = []
        self._subscriptions: list[_Subscription] = []

    def subscribe(
        self, queue: MemoryQueue, accepts: Accepts = lambda _: True, *, raw: bool = False
    ) -> None:
        """Send a queue the messages that it accepts; ``raw`` leaves out SNS's envelope."""
        self._subscriptions.append(_Subscription(queue=queue, accepts=accepts, raw=raw))

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        if len(message.encode()) > LARGEST:
            raise PublicationRefused(f"the message is over {LARGEST} bytes")
        self.published.append(Published(message=message, attributes=dict(attributes)))
        envelope = self._envelope(message, attributes)
        for subscription in self._subscriptions:
            if not subscription.accepts(attributes):
                continue
            if subscription.raw:
                await subscription.queue.send(message, attributes)
            else:
                await subscription.queue.send(envelope)

    def _envelope(self, message: str, attributes: Mapping[str, str]) -> str:
        """Wrap a message as SNS does where raw delivery is off."""
        envelope = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "TopicArn": self.arn,
            "Message": message,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        typed = {key: {"Type": "String", "Value": value} for key, value in attributes.items()}
        # SNS leaves the key out where a message has no attributes.
        return strict_json.written(envelope | ({"MessageAttributes": typed} if typed else {}))
