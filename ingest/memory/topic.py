"""A topic in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from ingest.memory.queue import MemoryQueue
from models import strict_json
from models.ports import Topic

Accepts = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was published on a topic."""

    message: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class _Subscription:
    queue: MemoryQueue
    accepts: Accepts
    raw: bool


class MemoryTopic(Topic):
    """A topic that keeps what was published, and brings it to the queues that accept it."""

    def __init__(self, arn: str = "arn:aws:sns:us-east-1:000000000000:memory") -> None:
        self.arn = arn
        self.published: list[Published] = []
        self._subscriptions: list[_Subscription] = []

    def subscribe(
        self, queue: MemoryQueue, accepts: Accepts = lambda _: True, *, raw: bool = False
    ) -> None:
        self._subscriptions.append(_Subscription(queue=queue, accepts=accepts, raw=raw))

    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        self.published.append(Published(message=message, attributes=dict(attributes)))
        envelope = self._envelope(message, attributes)
        for to in self._subscriptions:
            if not to.accepts(attributes):
                continue
            await (to.queue.send(message, attributes) if to.raw else to.queue.send(envelope))

    def _envelope(self, message: str, attributes: Mapping[str, str]) -> str:
        """What SNS puts into a queue where raw delivery is off."""
        envelope = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "TopicArn": self.arn,
            "Message": message,
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        typed = {key: {"Type": "String", "Value": value} for key, value in attributes.items()}
        return strict_json.written(envelope | ({"MessageAttributes": typed} if typed else {}))
