"""The ports in memory: one process, nothing kept; tests and the edge stand on them.

They behave as the ports on AWS do (the same contract tests run over both), but know no network.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from models.ports import Delivery, Ledger, Objects, Queue, Topic
from models.report import Report, Status
from models.task import Task

Accepts = Callable[[Mapping[str, str]], bool]


class MemoryObjects(Objects):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}

    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        self.bodies[uri] = body
        self.content_types[uri] = content_type

    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        body = self.bodies.get(uri)
        if body is not None and limit is not None and len(body) > limit:
            raise ValueError(f"{uri} has {len(body)} bytes, more than {limit}")
        return body

    async def list(self, uri: str) -> Sequence[str]:
        return sorted(name for name in self.bodies if name.startswith(uri))

    async def delete(self, uri: str) -> None:
        self.bodies.pop(uri, None)
        self.content_types.pop(uri, None)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A rejected message."""

    body: str
    attributes: Mapping[str, str]
    reason: str


class MemoryQueue(Queue):
    """A queue whose messages come back when their lease has ended."""

    def __init__(
        self,
        *,
        visibility: float = 30,
        wait: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.visibility = visibility
        self.wait = wait
        self.clock = clock
        self.dead_letters: list[DeadLetter] = []
        self._messages: dict[str, _Message] = {}
        self._changed = asyncio.Condition()

    @property
    def depth(self) -> int:
        """Messages that were neither acknowledged nor rejected."""
        return len(self._messages)

    async def send(self, body: str, attributes: Mapping[str, str] | None = None) -> None:
        message = _Message(body=body, attributes=dict(attributes or {}))
        self._messages[message.id] = message
        await self._tell_receivers()

    async def receive(self, most: int) -> Sequence[Delivery]:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait), self._changed:
                while not (visible := self._visible(most)):
                    await self._until_one_comes_back()
                return [self._lease(message) for message in visible]
        return []

    async def extend(self, delivery: Delivery, seconds: int) -> None:
        if message := self._held(delivery):
            self._messages[message.id] = replace(message, visible_at=self.clock() + seconds)
            await self._tell_receivers()

    async def ack(self, delivery: Delivery) -> None:
        if self._held(delivery):
            del self._messages[delivery.id]

    async def reject(self, delivery: Delivery, reason: str) -> None:
        letter = DeadLetter(body=delivery.body, attributes=delivery.attributes, reason=reason)
        self.dead_letters.append(letter)
        await self.ack(delivery)

    def _visible(self, most: int) -> "Sequence[_Message]":
        now = self.clock()
        return [m for m in self._messages.values() if m.visible_at <= now][:most]

    def _lease(self, message: "_Message") -> Delivery:
        leased = replace(
            message,
            receipt=str(uuid4()),
            receives=message.receives + 1,
            visible_at=self.clock() + self.visibility,
        )
        self._messages[message.id] = leased
        return leased.delivery()

    def _held(self, delivery: Delivery) -> "_Message | None":
        """Its message, unless another receiver holds that now: an old receipt has no effect."""
        message = self._messages.get(delivery.id)
        return message if message and message.receipt == delivery.receipt else None

    async def _until_one_comes_back(self) -> None:
        """Wait for news, or for the first lease to end."""
        first = min((m.visible_at for m in self._messages.values()), default=None)
        pause = None if first is None else max(0, first - self.clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._changed.wait()

    async def _tell_receivers(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, kw_only=True)
class _Message:
    id: str = field(default_factory=lambda: str(uuid4()))
    body: str
    attributes: Mapping[str, str]
    receipt: str = ""
    receives: int = 0
    visible_at: float = 0

    def delivery(self) -> Delivery:
        return Delivery(
            id=self.id,
            receipt=self.receipt,
            body=self.body,
            attributes=self.attributes,
            attempt=self.receives,
        )


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
        return json.dumps(envelope | ({"MessageAttributes": typed} if typed else {}))


class MemoryLedger(Ledger):
    """A ledger in a dictionary; a transition has no await in it, so it happens once."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str], Report] = {}  # oldest first

    async def queue(self, task: Task) -> None:
        self._reports.setdefault((task.id, task.submission), Report.of(task, Status.QUEUED))

    async def withdraw(self, task: Task) -> None:
        report = self._reports.get((task.id, task.submission))
        if report and report.status is Status.QUEUED:
            del self._reports[task.id, task.submission]

    async def start(self, task: Task) -> Report:
        known = self._reports.get((task.id, task.submission))
        report = known or Report.of(task, Status.QUEUED)
        if not report.ended:
            report = replace(report, status=Status.RUNNING, attempt=report.attempt + 1)
        return self._note(report)

    async def finish(self, report: Report) -> Report:
        known = self._reports.get((report.id, report.submission))
        return known if known and known.ended else self._note(report)

    async def tell(self, report: Report) -> None:
        if known := self._reports.get((report.id, report.submission)):
            self._note(replace(known, told=True))

    async def find(self, id: str, submission: str | None = None) -> Report | None:  # noqa: A002
        if submission is not None:
            return self._reports.get((id, submission))
        found = (r for (name, _), r in reversed(self._reports.items()) if name == id)
        return next(found, None)

    def _note(self, report: Report) -> Report:
        self._reports[report.id, report.submission] = report
        return report
