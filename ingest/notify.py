"""Notifications: what a task came to, for subscribers and for its callback."""

from dataclasses import dataclass
from typing import Any

from ingest.call_request import CallRequest
from models import strict_json
from models.notification import notification
from models.ports import Topic
from models.report import Report


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Publishes notifications; one that is published again has the same words."""

    results: Topic
    callbacks: Topic
    """Topic that leads to the queue of the calls that `ingest.callbacks` makes."""

    async def notify(self, report: Report, context: Any) -> None:
        """Publish a report on the results topic, and have the callback called if it wants that.

        Raises:
            Unavailable: one or both were not notified.
        """
        await self.notify_subscribers(report, context)
        await self.notify_callback(report, context)

    async def notify_subscribers(self, report: Report, context: Any) -> None:
        """Publish a report on the results topic."""
        await self.results.publish(strict_json.written(notification(report, context)), {})

    async def notify_callback(self, report: Report, context: Any) -> None:
        """Have the callback called, if the task has one for this status."""
        if report.callback and report.status in report.callback.events:
            request = CallRequest(
                id=report.id,
                submission=report.submission,
                event=report.status.value,
                url=report.callback.url,
                key=report.key,
                notification=notification(report, context),
            )
            await self.callbacks.publish(strict_json.written(dict(request)), {})
