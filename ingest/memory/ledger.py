"""Ledger in memory."""

import math
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from ingest.paging import age, age_after, paged
from models.fence import Fence
from models.ledger import UNPUBLISHED_SECONDS, Ledger, Page, Search
from models.report import Report, Status
from models.task import Call, Task

_KEPT = ("output", "failure", "key", "context", "callback", "replica", "checkpoint")
"""Fields that keep their value where a newer report has None."""


class MemoryLedger(Ledger):
    """Ledger in a dictionary; no transition awaits anything, so each happens once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._reports: dict[tuple[str, str], Report] = {}
        self._unpublished: dict[tuple[str, str], float] = {}
        """Times at which rows expire of what is not published yet."""

    async def queue(self, task: Task, key: str | None = None, *, published: bool = True) -> Report:
        if known := self._reports.get((task.id, task.submission)):
            return known
        noted = self._note(replace(Report.of(task, Status.QUEUED), key=key))
        if not published:
            self._unpublished[task.id, task.submission] = self.clock() + UNPUBLISHED_SECONDS
        return noted

    async def accept(self, task: Task, key: str | None = None) -> Report:
        known = self._reports.get((task.id, task.submission))
        if known and known.status is not Status.QUEUED:
            return known
        return self._note(known) if known else await self.queue(task, key)

    async def withdraw(self, id: str, submission: str) -> None:  # noqa: A002
        report = self._reports.get((id, submission))
        if report and report.status is Status.QUEUED:
            del self._reports[id, submission]

    async def start(self, task: Task, fence: Fence) -> Report:
        known = self._reports.get((task.id, task.submission))
        if known is None or (known.status is Status.QUEUED and not known.is_of(fence)):
            attempt = known.attempt + 1 if known else 1
            return self._note(Report.of(task, Status.RUNNING, attempt), fence=fence)
        # One of this fence that is queued was requeued: this start lands when its run is over.
        if known.ended or known.is_of(fence) or known.is_fenced(self.clock()):
            return known
        return self._note(known, fence=fence)

    async def hold(self, report: Report, fence: Fence) -> Report:
        known = self._reports.get((report.id, report.submission))
        if known and known.status is Status.RUNNING and known.is_of(fence):
            return self._note(known, fence=fence)
        return known or report

    async def finish(self, report: Report, fence: Fence) -> Report:
        known = self._reports.get((report.id, report.submission))
        if known and (known.ended or self._is_anothers(known, fence)):
            return known
        return self._note(report, fence=fence)

    async def requeue(self, report: Report, fence: Fence, *, counts: bool = True) -> None:
        known = self._reports.get((report.id, report.submission))
        if known and known.status is Status.RUNNING and known.is_of(fence):
            attempt = known.attempt if counts else known.attempt - 1
            queued = replace(known, status=Status.QUEUED, attempt=attempt)
            self._note(queued, fence=replace(fence, until=0))

    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        fence: Fence,
        key: str | None = None,
    ) -> Report | None:
        unknown = Report(id=id, submission=submission, runtime="", status=Status.QUEUED)
        known = self._reports.get((id, submission), unknown)
        if key not in (None, known.key):
            return None
        if known.ended:
            return known
        tells = known.context is not None and not known.is_fenced(self.clock())
        return self._note(known.cancelled(), fence=fence if tells else known.fence)

    async def tell(self, report: Report, fence: Fence) -> Report:
        known = self._reports.get((report.id, report.submission))
        if known is None:
            return replace(report, fence=fence)
        if known.notified or self._is_anothers(known, fence):
            return known
        return self._note(known, fence=fence)

    async def mark_notified(self, report: Report, *, called: bool = True) -> None:
        if known := self._reports.get((report.id, report.submission)):
            self._note(replace(known, notified=True, uncalled=not called))

    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        known = self._reports.get((id, submission))
        if known is None or call in known.calls:
            return known.calls if known else (call,)
        return self._note(known, calls=(call,)).calls

    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        found = (
            report
            for report in self._read()
            if report.id == id
            and submission in (None, report.submission)
            and key in (None, report.key)
        )
        return max(found, key=age, default=None)

    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        return await paged(self._newest(search), search, most, age_after(after))

    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        queued = Search(runtimes=(runtime,), statuses=(Status.QUEUED,))
        return sorted(report.created for report in self._listed() if queued.finds(report))[:most]

    async def _newest(self, search: Search) -> AsyncGenerator[Report, None]:
        for report in sorted(filter(search.finds, self._listed()), key=age, reverse=True):
            yield report

    def _read(self) -> list[Report]:
        """List all reports as they are told now."""
        now = self.clock()
        return [
            report.as_read(now)
            for row_key, report in self._reports.items()
            if self._unpublished.get(row_key, math.inf) > now
        ]

    def _listed(self) -> list[Report]:
        return [
            report
            for report in self._read()
            if (report.id, report.submission) not in self._unpublished
        ]

    def _is_anothers(self, known: Report, fence: Fence) -> bool:
        return known.is_fenced(self.clock()) and not known.is_of(fence)

    def _note(
        self, report: Report, *, fence: Fence | None = None, calls: tuple[Call, ...] = ()
    ) -> Report:
        """Keep a report, completed by what the ledger alone knows; return it so."""
        now = self.clock()
        known = self._reports.get(
            (report.id, report.submission), replace(report, created=now, calls=())
        )
        kept = {name: getattr(known, name) for name in _KEPT if getattr(report, name) is None}
        if known.key is not None:  # the owner of a task does not change
            kept["key"] = known.key
        kept |= {"calls": (*known.calls, *calls), "created": known.created, "updated": now}
        kept["fence"] = fence or known.fence
        self._unpublished.pop((report.id, report.submission), None)
        noted = self._reports[report.id, report.submission] = replace(report, **kept)
        return noted
