"""Ledger in memory."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from ingest.paging import age, age_after, paged
from models.ports import Ledger, Page, Search
from models.report import Report, Status
from models.task import Call, Task

_KEPT = ("output", "failure", "key", "context", "callback", "replica", "checkpoint")
"""Fields that keep their value where a newer report has None."""


class MemoryLedger(Ledger):
    """Ledger in a dictionary; no transition awaits anything, so each happens once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._reports: dict[tuple[str, str], Report] = {}

    async def queue(self, task: Task, key: str | None = None) -> Report:
        known = self._reports.get((task.id, task.submission))
        return known or self._note(replace(Report.of(task, Status.QUEUED), key=key))

    async def withdraw(self, task: Task) -> None:
        report = self._reports.get((task.id, task.submission))
        if report and report.status is Status.QUEUED:
            del self._reports[task.id, task.submission]

    async def start(self, task: Task) -> Report:
        known = self._reports.get((task.id, task.submission))
        if known and known.ended:
            return known
        return self._note(Report.of(task, Status.RUNNING, (known.attempt if known else 0) + 1))

    async def finish(self, report: Report) -> Report:
        known = self._reports.get((report.id, report.submission))
        return known if known and known.ended else self._note(report)

    async def requeue(self, report: Report, *, counts: bool = True) -> None:
        known = self._reports.get((report.id, report.submission))
        if known and known.status is Status.RUNNING and known.attempt == report.attempt:
            attempt = known.attempt if counts else known.attempt - 1
            self._note(replace(known, status=Status.QUEUED, attempt=attempt))

    async def cancel(
        self,
        id: str,  # noqa: A002
        submission: str,
        key: str | None = None,
    ) -> Report | None:
        unknown = Report(id=id, submission=submission, runtime="", status=Status.QUEUED)
        known = self._reports.get((id, submission), unknown)
        if key not in (None, known.key):
            return None
        return known if known.ended else self._note(known.cancelled())

    async def mark_notified(self, report: Report) -> None:
        if known := self._reports.get((report.id, report.submission)):
            self._note(replace(known, notified=True))

    async def add_call(self, id: str, submission: str, call: Call) -> Sequence[Call]:  # noqa: A002
        known = self._reports.get((id, submission))
        return self._note(known, call).calls if known else (call,)

    async def find(
        self,
        id: str,  # noqa: A002
        submission: str | None = None,
        key: str | None = None,
    ) -> Report | None:
        found = (
            report
            for report in self._reports.values()
            if report.id == id
            and submission in (None, report.submission)
            and key in (None, report.key)
        )
        return max(found, key=age, default=None)

    async def search(self, search: Search, most: int, after: str | None = None) -> Page:
        return await paged(self._newest(search), search, most, age_after(after))

    async def waiting(self, runtime: str, most: int) -> Sequence[float]:
        queued = Search(runtimes=(runtime,), statuses=(Status.QUEUED,))
        return sorted(report.created for report in self._reports.values() if queued.finds(report))[
            :most
        ]

    async def _newest(self, search: Search) -> AsyncGenerator[Report, None]:
        for report in sorted(filter(search.finds, self._reports.values()), key=age, reverse=True):
            yield report

    def _note(self, report: Report, *calls: Call) -> Report:
        """Keep a report, completed by what the ledger alone knows; return it so."""
        now = self.clock()
        known = self._reports.get(
            (report.id, report.submission), replace(report, created=now, calls=())
        )
        kept = {name: getattr(known, name) for name in _KEPT if getattr(report, name) is None}
        if known.key is not None:  # the owner of a task does not change
            kept["key"] = known.key
        kept |= {"calls": (*known.calls, *calls), "created": known.created, "updated": now}
        noted = self._reports[report.id, report.submission] = replace(report, **kept)
        return noted
