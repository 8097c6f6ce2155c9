"""Tells what a task came to: on the results topic, and to its callback's queue."""

from dataclasses import dataclass
from typing import Any

from models import strict_json
from models.notification import notification
from models.ports import Topic
from models.report import Report


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Publishes notifications; who tells twice tells the same."""

    results: Topic
    callbacks: Topic
    """Leads to the queue of calls that `ingest.callbacks` makes."""

    async def notify(self, report: Report, context: Any) -> None:
        """Tell everybody.

        Raises:
            Unavailable: not everybody was told.
        """
        await self.results.publish(strict_json.written(notification(report, context)), {})
        await self.notify_callback(report, context)

    async def notify_callback(self, report: Report, context: Any) -> None:
        """Have the callback alone called, if it wants to know."""
        if report.callback and report.status in report.callback.events:
            named = {"id": report.id, "submission": report.submission, "event": report.status}
            told = notification(report, context)
            call = {"url": report.callback.url, "key": report.key, "notification": told}
            await self.callbacks.publish(strict_json.written(named | call), {})
