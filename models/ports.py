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
from models.fence import Fence
from models.report import Report, Status
from models.settings.api_keys import ApiKey
from models.task import Call, Task


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


UNPUBLISHED_SECONDS = 900.0
"""Seconds for which a submission is known that its front has noted and not published."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Conditions on submissions, all of which must hold."""

    runtimes: tuple[str, ...]
    statuses: tuple[Status, ...] = tuple(Status)
    key: str | None = None
    """Name of the API key that the submissions belong to; None: whoever's they are."""
    since: float = 0
    """Earliest time of creation, inclusive."""
    until: float | None = None
    """Latest time of creation, exclusive."""

    def finds(self, report: Report) -> bool:
        """Tell whether a submission's report meets the conditions."""
        return (
            report.runtime in self.runtimes
            and report.status in self.statuses
            and self.key in (None, report.key)
            and self.since <= report.created
            and (self.until is None or report.created < self.until)
        )


@dataclass(frozen=True, kw_only=True)
class Page:
    """Part of what a search finds, the newest first."""

    reports: Sequence[Report]
    next: str | None = None
    """Cursor of the next page; None on the last page."""


class Ledger(ABC):
    """Ledger of all tasks, and the truth about them.

    Each transition is one conditional write, so of callers that race exactly one makes it. Rows are
    dropped some days after their last change (``tasks.ledgerDays``). What `find`, `search` and
    `waiting` find reads as queued again once nobody has it: its fence has lapsed.
    """

    @abstractmethod
    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        """Note a submission as queued, and the name of its API key; return the report that stands.

        A submission that is known already stays as it is. One that is not ``published`` yet is not
        listed, and after `UNPUBLISHED_SECONDS` forgotten, unless `accept` or its start comes first.
        """

    @abstractmethod
    async def accept(self, task: Task, key: str | None = None) -> Report:
        """Note that a submission was published, by which it stays; return the report that stands.

        It is noted as queued if it is not known.
        """

    @abstractmethod
    async def withdraw(self, id: str, submission: str) -> None:  # noqa: A002
        """Forget a submission that was not published, unless it is no longer queued."""

    @abstractmethod
    async def start(self, task: Task, fence: Fence) -> Report:
        """Take a task that has the GPU now, and return the report, running; or what stands instead.

        That is how it has ended, or that another has it, whose fence has not lapsed. A start counts
        as an attempt, unless it takes over from one whose fence has lapsed. Each fence has one
        start: after its `requeue` it changes nothing.
        """

    @abstractmethod
    async def hold(self, report: Report, fence: Fence) -> Report:
        """Keep others off until the fence's new end; return the report that stands.

        It is of another fence, or ended, where the task is no longer this one's; then nothing is
        written.
        """

    @abstractmethod
    async def finish(self, report: Report, fence: Fence) -> Report:
        """Note the end of a task; return the report that stands.

        That is this one, one that was accepted earlier, or that another has the task. Whose it is
        says its fence. Who noted the end tells of it until the fence lapses.
        """

    @abstractmethod
    async def requeue(self, report: Report, fence: Fence, *, counts: bool = True) -> None:
        """Note that this attempt is over and another waits, unless the task is another's by now.

        Unless it ``counts``, the attempt is taken back.
        """

    @abstractmethod
    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        fence: Fence,
        key: str | None = None,
    ) -> Report | None:
        """Cancel a submission; return the report that stands: cancelled, or how it had ended.

        Who cancels tells of it until the fence lapses if the report is of this fence: what nobody
        has that is known to run. Otherwise who has the task does.

        Without a ``key``, one that is not known yet (it came by SNS and was not received) ends as
        cancelled when it comes; until then its report has no runtime. With the name of an API key
        nothing is written unless the task belongs to it, and the answer is None.
        """

    @abstractmethod
    async def tell(self, report: Report, fence: Fence) -> Report:
        """Take it on to tell of a task's end; return the report that stands.

        It is of this fence, unless the end was told, or another who tells it has not lapsed.
        """

    @abstractmethod
    async def mark_notified(self, report: Report, *, called: bool = True) -> None:
        """Note that the notification of a task's end was published; a dropped row stays dropped.

        Unless it was ``called``, the call of its callback is still to be asked for.
        """

    @abstractmethod
    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        """Note a callback call; return all calls of the submission so far, this one last."""

    @abstractmethod
    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        """Find the report of a submission, or of the newest of that task id if none is given.

        With the name of an API key, another's tasks are as unknown as those that never were.
        """

    @abstractmethod
    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        """Find up to ``most`` submissions, the newest first; ``after`` is the page's ``next``.

        A page may hold fewer and yet have a next one: it looks at 500 submissions at most. What
        was created since the first page is on none of the later ones.

        Raises:
            ValueError: ``after`` is not a page's ``next``.
        """

    @abstractmethod
    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        """List when the queued tasks of a runtime were created, the oldest first."""


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
