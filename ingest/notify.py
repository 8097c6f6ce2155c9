"""Notifications: what a task came to, for subscribers and for its callback."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.call_request import CallRequest
from models import strict_json
from models.errors import PublicationRefused
from models.notification import LONGEST, notification, shortened
from models.ports import Objects, Topic
from models.report import Report

log = logging.getLogger("ray.serve.atelier.ingest")


@dataclass(frozen=True, kw_only=True)
class Notifier:
    """Publishes notifications; one that is published again has the same words."""

    results: Topic
    callbacks: Topic
    """Topic that leads to the queue of the calls that `ingest.callbacks` makes."""
    objects: Objects
    output: str
    """``s3://`` URI of the bucket, under which notifications lie that no message holds."""

    async def notify(self, report: Report, context: Any) -> None:
        """Publish a report on the results topic, and have the callback called if it wants that.

        Raises:
            Unavailable: one or both were not notified.
        """
        await self.notify_subscribers(report, context)
        await self.notify_callback(report, context)

    async def notify_subscribers(self, report: Report, context: Any) -> None:
        """Publish a report on the results topic."""
        words = strict_json.written(await self._words(report, context))
        await self.results.publish(words, {})

    async def notify_callback(self, report: Report, context: Any) -> None:
        """Have the callback called, if the task has one for this status.

        One whose queue refuses its request for good is not: the task has ended all the same.
        """
        if report.callback and report.status in report.callback.events:
            request = CallRequest(
                id=report.id,
                submission=report.submission,
                event=report.status.value,
                url=report.callback.url,
                key=report.key,
                notification=await self._words(report, context),
            )
            try:
                await self.callbacks.publish(strict_json.written(dict(request)), {})
            except PublicationRefused as exc:
                log.warning("callback_refused", extra={**report.log_context(), "why": str(exc)})

    async def _words(self, report: Report, context: Any) -> Mapping[str, Any]:
        """Write the notification, shortened to what a message holds; then store the whole."""
        whole = notification(report, context)
        text = strict_json.written(whole)
        if len(text) <= LONGEST:
            return whole
        uri = f"{self.output}/notifications/{report.submission}.json"
        # Before its message: who is told of it finds the file.
        await self.objects.put(uri, text.encode(), "application/json")
        return shortened(whole, uri)
