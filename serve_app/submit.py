"""Publication of tasks on the tasks topic: the HTTP APIs are one more publisher."""

import logging
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from models.errors import Unavailable
from models.ledger import Ledger
from models.ports import Objects, Topic
from models.report import Report, Status
from models.task import Task
from models.wire import LARGEST, Message

log = logging.getLogger("ray.serve.atelier.submit")


def mint() -> str:
    """Make the identity of a new submission: 32 hex digits."""
    return uuid4().hex


class Submit:
    """Publisher of tasks, which leaves nothing behind of a task that it could not publish."""

    def __init__(
        self,
        *,
        topic: Topic,
        objects: Objects,
        ledger: Ledger,
        bucket: str,
        mint: Callable[[], str] = mint,
    ) -> None:
        self.topic = topic
        self.objects = objects
        self.ledger = ledger
        self.bucket = bucket
        self.mint = mint

    async def __call__(
        self,
        task: Task,
        message: Message,
        *,
        key: str | None = None,
        again: bool = False,
        noted: bool = False,
    ) -> Report:
        """Publish a task by its message, sent with the API key of this name; return its report.

        The ledger forgets a task whose sender is killed before it has published it.

        ``again``: this submission may be published by others, before or after this; then nothing of
        it is withdrawn.
        ``noted``: publish only what the ledger has noted, which alone knows whose task it is.

        Raises:
            Unavailable: it was not published or not noted, or that is not known.
        """
        payload_uri = f"s3://{self.bucket}/payloads/{task.submission}.json"
        payload = payload_uri if message.size > LARGEST else None
        try:
            # The row first: a worker may start at once, and only the row says whose task it is.
            await self._queue(task, key, noted=noted)
            await self._publish(message, payload)
        except Unavailable:
            if not again:
                await self._withdraw(task, payload)
            raise
        return await self._accept(task, key, noted=noted)

    async def _queue(self, task: Task, key: str | None, *, noted: bool) -> None:
        try:
            await self.ledger.queue(task, key, published=False)
        except Unavailable:  # the queue is the truth of what is to do; the worker notes the rest
            if noted:
                raise
            log.warning("submission_not_noted", extra=task.log_context())

    async def _accept(self, task: Task, key: str | None, *, noted: bool) -> Report:
        try:
            return await self.ledger.accept(task, key)
        except Unavailable:
            if noted:
                raise
            log.warning("submission_not_noted", extra=task.log_context())
            return replace(Report.of(task, Status.QUEUED), key=key)

    async def _publish(self, message: Message, payload: str | None) -> None:
        if payload is not None:
            # Before its pointer, which may be followed as soon as it is published.
            await self.objects.put(payload, message.text.encode(), "application/json")
            message = message.stored_at(payload)
        await self.topic.publish(message.text, message.attributes)

    async def _withdraw(self, task: Task, payload: str | None) -> None:
        try:
            await self.ledger.withdraw(task.id, task.submission)
            if payload is not None:
                await self.objects.delete(payload)
        except Unavailable:
            log.warning("submission_not_withdrawn", extra=task.log_context())
