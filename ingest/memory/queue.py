"""Queue in memory, with its dead letters."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import uuid4

from models.ports import Delivery, Queue
from models.wire import REASON


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """Message that was rejected, and why."""

    body: str
    attributes: Mapping[str, str]
    reason: str


class MemoryQueue(Queue):
    """Queue whose messages come back when their lease has lapsed.

    ``visibility`` is the first lease of a delivery and ``wait`` the longest that `receive` waits,
    both in seconds; ``clock`` is monotonic. After ``max_receives`` a message is moved to the dead
    letters, as SQS does it; 0: never.
    """

    def __init__(
        self,
        *,
        visibility: float = 30,
        wait: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
        max_receives: int = 0,
    ) -> None:
        self.visibility = visibility
        self.wait = wait
        self.clock = clock
        self.max_receives = max_receives
        self._messages: dict[str, _Message] = {}
        self._changed = asyncio.Condition()

    @property
    def depth(self) -> int:
        """Messages that were neither acknowledged nor rejected."""
        return len(self._messages)

    @property
    def messages(self) -> "Sequence[_Message]":
        """Messages that were neither acknowledged nor rejected, in the order of sending."""
        return list(self._messages.values())

    @cached_property
    def letters(self) -> "MemoryQueue":
        """Queue of the dead letters."""
        return MemoryQueue(visibility=self.visibility, wait=self.wait, clock=self.clock)

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """Dead letters with a reason, received or not."""
        return [
            DeadLetter(body=message.body, attributes=others, reason=reason)
            for message in self.letters.messages
            for others in [dict(message.attributes)]
            if (reason := others.pop(REASON, None)) is not None
        ]

    async def send(self, body: str, attributes: Mapping[str, str] | None = None) -> None:
        message = _Message(body=body, attributes=dict(attributes or {}))
        self._messages[message.id] = message
        await self._wake_receivers()

    def keep(self, message: "_Message") -> None:
        """Take a message from another queue, with its id, its time and its count of receives."""
        self._messages[message.id] = message

    async def receive(self, most: int) -> Sequence[Delivery]:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait), self._changed:
                while not (visible := self._visible(most)):
                    await self._wait_for_visible()
                return [self._lease(message) for message in visible]
        return []

    async def extend(self, delivery: Delivery, seconds: int) -> None:
        if message := self._held(delivery):
            self._messages[message.id] = replace(message, visible_at=self.clock() + seconds)
            await self._wake_receivers()

    async def ack(self, delivery: Delivery) -> None:
        if self._held(delivery):
            del self._messages[delivery.id]

    async def reject(self, delivery: Delivery, reason: str) -> None:
        await self.letters.send(delivery.body, {**delivery.attributes, REASON: reason})
        await self.ack(delivery)

    async def backlog(self) -> int:
        return len(self._visible(len(self._messages)))

    def _visible(self, most: int) -> "Sequence[_Message]":
        now = self.clock()
        self._move_spent(now)
        return [message for message in self._messages.values() if message.visible_at <= now][:most]

    def _move_spent(self, now: float) -> None:
        """Move what was received too often, and is visible again, to the dead letters."""
        for message in self.messages:
            if 0 < self.max_receives <= message.receives and message.visible_at <= now:
                self.letters.keep(self._messages.pop(message.id))

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
        """Find the message of a delivery, unless its receipt is outdated."""
        message = self._messages.get(delivery.id)
        return message if message and message.receipt == delivery.receipt else None

    async def _wait_for_visible(self) -> None:
        """Wait for a change, or for the first lease to lapse."""
        first = min((message.visible_at for message in self._messages.values()), default=None)
        pause = None if first is None else max(0, first - self.clock())
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._changed.wait()

    async def _wake_receivers(self) -> None:
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
    sent: float = field(default_factory=time.time)

    def delivery(self) -> Delivery:
        return Delivery(
            id=self.id,
            receipt=self.receipt,
            body=self.body,
            attributes=self.attributes,
            attempt=self.receives,
            sent=self.sent,
        )
