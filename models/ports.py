"""The outside world in a few verbs; each is implemented in memory and on AWS."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from models.progress import Progress
from models.report import Report
from models.task import Task


class Objects(ABC):
    """Objects named by ``s3://bucket/key`` URIs."""

    @abstractmethod
    async def put(self, uri: str, body: bytes, content_type: str) -> None: ...

    @abstractmethod
    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        """Its bytes; None where there is none.

        Raises:
            ValueError: it is larger than ``limit`` bytes.
        """

    @abstractmethod
    async def list(self, uri: str) -> Sequence[str]:
        """URIs of the objects whose URI starts with this one, sorted."""

    @abstractmethod
    async def delete(self, uri: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message received from a queue, invisible to others until its lease ends."""

    id: str
    receipt: str
    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Message attributes of the queue's own message (those of raw delivery)."""
    attempt: int = 1
    """How many times it has been received."""


class Queue(ABC):
    """The tasks that wait for one runtime."""

    @abstractmethod
    async def receive(self, most: int) -> Sequence[Delivery]:
        """Up to ``most`` (1 to 10) messages; waits some seconds for the first."""

    @abstractmethod
    async def extend(self, delivery: Delivery, seconds: int) -> None:
        """Keep it invisible for so long from now; 0 hands it back at once."""

    @abstractmethod
    async def ack(self, delivery: Delivery) -> None:
        """Done: it never comes back."""

    @abstractmethod
    async def reject(self, delivery: Delivery, reason: str) -> None:
        """Move it to the dead letters, with the reason."""


class Topic(ABC):
    """A channel that fans out."""

    @abstractmethod
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        """Publish with String attributes.

        Raises:
            Unavailable: the topic did not take it.
        """


class Ledger(ABC):
    """The truth about every task; each transition is conditional, so it happens once."""

    @abstractmethod
    async def queue(self, task: Task) -> None:
        """Note a submission that is about to be published."""

    @abstractmethod
    async def withdraw(self, task: Task) -> None:
        """Forget a queued submission that could not be published."""

    @abstractmethod
    async def start(self, task: Task) -> Report:
        """Its report, now running with one attempt more; or, if it has ended, how it ended."""

    @abstractmethod
    async def finish(self, report: Report) -> Report:
        """The report that stands: this one, or another that was accepted before it."""

    @abstractmethod
    async def tell(self, report: Report) -> None:
        """Note that its notification was published."""

    @abstractmethod
    async def find(self, id: str, submission: str | None = None) -> Report | None:  # noqa: A002
        """What is known of a submission; without one, of the newest of that id."""


class Runner(ABC):
    """A runtime's replicas as the worker sees them."""

    @abstractmethod
    def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        """Run it, telling progress and last its report.

        Raises:
            RuntimeUnavailable: no replica brought it to an end; another try may.
        """
