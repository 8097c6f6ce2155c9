"""Brings a task onto the tasks topic: HTTP is one more publisher."""

import logging
from collections.abc import Callable
from uuid import uuid4

from models.errors import Unavailable
from models.ports import Ledger, Objects, Topic
from models.task import Task
from models.wire import LARGEST, Message, task_of

log = logging.getLogger("ray.serve.atelier.submit")


def mint() -> str:
    """A new submission."""
    return uuid4().hex


class Submit:
    """Publishes tasks; what it could not publish it does not leave behind."""

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
        message: Message,
        runtime: str,
        *,
        key: str | None = None,
        submission: str | None = None,
        again: bool = False,
        noted: bool = False,
    ) -> Task:
        """Publish a message that the runtime will consume, sent with the API key of this name.

        ``again``: this submission may have been published before; then nothing of it is withdrawn.
        ``noted``: only if the ledger has noted it, which alone knows whose it is.

        Raises:
            Unavailable: it was not published.
        """
        task = task_of(message.body, runtime=runtime, submission=submission or self.mint())
        outgoing = message.sent_as(task.submission)
        payload = self._payload(task) if outgoing.size > LARGEST else None
        try:
            await self._queue(task, key, noted=noted)
            await self._publish(outgoing, payload)
        except Unavailable:
            if not again:
                await self._withdraw(task, payload)
            raise
        return task

    async def _queue(self, task: Task, key: str | None, *, noted: bool) -> None:
        try:
            await self.ledger.queue(task, key)
        except Unavailable:  # the queue is the truth of what is to do; the worker notes the rest
            if noted:
                raise
            log.warning("submission_not_noted", extra=task.log_context())

    async def _publish(self, message: Message, payload: str | None) -> None:
        if payload is not None:
            await self.objects.put(payload, message.text.encode(), "application/json")
            message = message.stored_at(payload)
        await self.topic.publish(message.text, message.attributes)

    async def _withdraw(self, task: Task, payload: str | None) -> None:
        try:
            await self.ledger.withdraw(task)
            if payload is not None:
                await self.objects.delete(payload)
        except Unavailable:
            log.warning("submission_not_withdrawn", extra=task.log_context())

    def _payload(self, task: Task) -> str:
        return f"s3://{self.bucket}/payloads/{task.submission}.json"
