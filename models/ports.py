"""The outside world in a few verbs; each is implemented in memory and on AWS."""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from models.callback import Call
from models.event import Event
from models.progress import Progress
from models.report import Report, Status
from models.settings.api_keys import ApiKey
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

    @abstractmethod
    async def link(self, uri: str, seconds: int) -> str:
        """A URL by which anyone can get it for so long; it need not exist."""


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
    sent: float = 0
    """When it was sent, in seconds since 1970; 0 where the queue does not say."""


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

    @abstractmethod
    async def backlog(self) -> int:
        """About how many messages wait to be received."""


class Topic(ABC):
    """A channel that fans out."""

    @abstractmethod
    async def publish(self, message: str, attributes: Mapping[str, str]) -> None:
        """Publish with String attributes.

        Raises:
            Unavailable: the topic did not take it.
        """


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which submissions are looked for."""

    runtimes: tuple[str, ...]
    statuses: tuple[Status, ...] = tuple(Status)
    key: str | None = None
    """Name of the API key they were sent with."""
    since: float = 0
    """Created at or after, in seconds since 1970."""
    until: float | None = None
    """Created before."""

    def finds(self, report: Report) -> bool:
        return (
            report.runtime in self.runtimes
            and report.status in self.statuses
            and self.key in (None, report.key)
            and self.since <= report.created
            and (self.until is None or report.created < self.until)
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of what was looked for, the newest first."""

    reports: Sequence[Report]
    next: str | None = None
    """Where the next page starts; None at the end."""


class Ledger(ABC):
    """The truth about every task; each transition is conditional, so it happens once."""

    @abstractmethod
    async def queue(self, task: Task, key: str | None = None) -> None:
        """Note a submission that is about to be published, sent with the API key of this name."""

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
    async def requeue(self, report: Report) -> None:
        """Note that this attempt is over and another waits; unless more has happened since."""

    @abstractmethod
    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        key: str | None = None,
    ) -> Report | None:
        """Cancel a submission; return the report that stands: cancelled, or how it had ended.

        Without a ``key``, one that is not known yet (it came by SNS and was not received) ends as
        cancelled when it comes; until then its report has no runtime. With the name of an API key
        nothing is written unless the task belongs to it, and the answer is None.
        """

    @abstractmethod
    async def mark_notified(self, report: Report) -> None:
        """Note that its notification was published."""

    @abstractmethod
    async def note(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        """Note a call to its callback; all calls so far, this one last."""

    @abstractmethod
    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        """Report on a submission, or on the newest of that task id if none is given.

        With the name of an API key, another's tasks are as unknown as those that never were.
        """

    @abstractmethod
    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        """Up to ``most`` of what is looked for, the newest first; ``after``: a page's ``next``.

        A page may hold fewer and yet have a next one: what one call reads is bounded. What was
        created since the first page is in none of the later ones.

        Raises:
            ValueError: ``after`` is not a page's ``next``.
        """

    @abstractmethod
    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        """When the oldest that are queued for a runtime were created, the oldest first."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """An idempotency key that was taken."""

    value: str
    """What it was taken for, first."""
    at: float
    """When, in seconds since 1970."""
    settled: bool
    """Whether what it was taken for was done."""
    new: bool
    """Whether it was taken now."""


class Claims(ABC):
    """Keys that are taken once, for a day."""

    @abstractmethod
    async def claim(self, key: str, value: str) -> Claim:
        """Take it for this value; or, if it was taken before, how."""

    @abstractmethod
    async def settle(self, key: str) -> None:
        """What it was taken for is done."""

    @abstractmethod
    async def release(self, key: str) -> None:
        """What it was taken for was not done: it may be taken again."""


class KeyStore(ABC):
    """API keys that are made and taken back while the platform runs."""

    lasts: float = math.inf
    """Seconds for which the keys that were read last stay valid while it does not answer."""

    @abstractmethod
    async def read(self) -> Sequence[ApiKey]:
        """Read the keys there are now, with the digests of their secrets.

        Raises:
            Unavailable: it does not answer now.
            SettingsError: it holds something else.
        """


class Runner(ABC):
    """A runtime's replicas as the worker sees them."""

    @abstractmethod
    def run(self, task: Task, attempt: int) -> AsyncGenerator[Progress | Report, None]:
        """Run it, telling progress and last its report.

        Raises:
            RuntimeUnavailable: no replica brought it to an end; another try may.
        """


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a runtime is doing now."""

    leased: int
    """Tasks that ingest has received and not ended."""
    running: int
    """Of these, handed to a replica."""
    seconds: float | None
    """What a task takes of a replica's time lately; None before the first has ended."""
    checkpoints: tuple[str, ...]
    """Those that its replicas ran with last."""


class Live(ABC):
    """What ingest knows beyond the ledger, as the front sees it.

    Every call raises `Unavailable` where ingest does not answer.
    """

    @abstractmethod
    def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        """All that is said of what this follower watches, as it is said; it ends with ingest."""

    @abstractmethod
    async def watch(self, follower: str, submission: str) -> Sequence[Event] | None:
        """What was said of a submission so far, and from now on to the follower.

        None where this follower does not follow (any more).
        """

    @abstractmethod
    async def unwatch(self, follower: str, submission: str) -> None: ...

    @abstractmethod
    async def stop(self, report: Report) -> bool:
        """It ended so: let it not run (any further); whether ingest has it, and so tells it."""

    @abstractmethod
    async def paces(self) -> Mapping[str, Pace]:
        """By the name of the runtime."""
