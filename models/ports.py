"""Ports: the outside world in a few verbs each, with an implementation in memory and one on AWS.

Every verb raises `Unavailable` where the service behind it refuses or does not answer; a docstring
says so only where that means something special. On AWS a call is tried three times, so it can take
about two minutes until it raises (batched calls of a queue: 10 seconds). Times are seconds since
1970 by the wall clock.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from models.event import Update
from models.settings.api_keys import ApiKey
from models.task import Task


class Objects(ABC):
    """Store of objects that are named by ``s3://bucket/key`` URIs."""

    @abstractmethod
    async def put(self, uri: str, body: bytes, content_type: str) -> None:
        """Store an object; replace the one there is."""

    @abstractmethod
    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        """Read an object; None if there is none.

        Raises:
            ValueError: it is larger than ``limit`` bytes; then nothing of it is read.
        """

    @abstractmethod
    async def list(self, uri: str) -> Sequence[str]:
        """List the URIs of all objects whose URI starts with this one, sorted."""

    @abstractmethod
    async def delete(self, uri: str) -> None:
        """Delete an object; succeed if there is none."""

    @abstractmethod
    async def link(self, uri: str, seconds: int) -> str:
        """Sign a URL by which anyone can read an object for so long; the object need not exist."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Message received from a queue, hidden from other receivers until its lease lapses."""

    id: str
    """Id of the message, the same in each of its deliveries."""
    receipt: str
    """Handle of this delivery, by which the lease is extended or ended."""
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the queue's own message (with raw delivery they are the publisher's)."""
    attempt: int = 1
    """Count of deliveries of the message, this one included."""
    sent: float = 0
    """Time of sending; 0 where the queue does not say."""


class Queue(ABC):
    """Queue of messages that are leased, and come back unless they are acknowledged."""

    @abstractmethod
    async def receive(self, most: int) -> Sequence[Delivery]:
        """Receive up to ``most`` messages (1 to 10); wait for the first, 20 seconds at most."""

    @abstractmethod
    async def extend(self, delivery: Delivery, seconds: int) -> None:
        """Let the lease lapse so many seconds from now; 0 hands the message back at once.

        A receipt that is not the newest of its message has no effect.
        """

    @abstractmethod
    async def ack(self, delivery: Delivery) -> None:
        """Delete the message: it never comes back. An outdated receipt has no effect."""

    @abstractmethod
    async def reject(self, delivery: Delivery, reason: str) -> None:
        """Move the message to the dead letters, the reason in its attributes."""

    @abstractmethod
    async def backlog(self) -> int:
        """Count the messages that wait to be received; on AWS the count is approximate."""


class Topic(ABC):
    """Channel that fans messages out to queues."""

    @abstractmethod
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        """Publish a message with attributes of type String.

        Raises:
            PublicationRefused: the topic will never take it: it is too long, or may not be sent.
            Unavailable: the topic did not take it, or did not say that it did.
        """


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Idempotency key that was taken."""

    value: str
    """Value that the key was first taken for."""
    at: float
    """Time at which the key was taken."""
    settled: bool
    """Flag: what the key was taken for is done."""
    new: bool
    """Flag: the key was taken by this very call."""
    abandoned: bool = False
    """Flag: who took the key does not know whether it is done, and tries no more."""


class Claims(ABC):
    """Keys that can be taken once a day."""

    @abstractmethod
    async def claim(self, key: str, value: str) -> Claim:
        """Take a key for a value; if it was taken in the last 24 hours, return that claim."""

    @abstractmethod
    async def find(self, key: str) -> Claim | None:
        """Find the claim of a key from the last 24 hours; None if there is none."""

    @abstractmethod
    async def settle(self, key: str) -> None:
        """Note that what the key was taken for is done."""

    @abstractmethod
    async def abandon(self, key: str) -> None:
        """Note that nobody is about to do what the key was taken for, which may be done or not.

        The claim stays: who claims the key next does it, for the value that it was first taken for.
        """


class KeyStore(ABC):
    """Store of the API keys that are made and revoked while the platform runs."""

    lasts: float = math.inf
    """Seconds for which the keys that were read last stay valid while the store is unavailable."""

    @abstractmethod
    async def read(self) -> Sequence[ApiKey]:
        """Read the keys there are now, with the digests of their secrets.

        Raises:
            SettingsError: the store holds something else.
        """


class Runner(ABC):
    """Runtime's replicas as the worker sees them."""

    @abstractmethod
    def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        """Run a task; yield its stages and progress, and last the report of its end.

        The first `Stage.RUNNING` says that it has the GPU; `Stage.WAITING` before it, that another
        task has. It takes as long as the task does, with its wait for a replica. Closing the
        generator stops the run.

        Raises:
            RuntimeUnavailable: no replica brought the task to an end; another try may.
            Unavailable: the store of inputs or artifacts is away.
        """
