"""Ledger: the port to what is known of each task, in memory and on AWS.

Each verb raises `Unavailable` where the service behind it refuses or does not answer. Times are
seconds since 1970 by the wall clock.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from models.fence import Fence
from models.report import Report, Status
from models.task import Call, Task

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
