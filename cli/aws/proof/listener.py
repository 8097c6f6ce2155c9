"""Listener on the results topic: a queue of its own, which exists while somebody listens."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from cli.aws.sdk import Aws, NotInTime
from models.settings import Settings

Notification = Mapping[str, Any]

_KEEP_SECONDS = 3_600
_POLL_SECONDS = 20  # the longest that SQS holds a poll


@dataclass
class Listener:
    """Final notifications received so far, by task id."""

    sqs: Any
    url: str
    _notifications: dict[str, Notification] = field(default_factory=dict)

    def wait(self, task: str, seconds: float) -> Notification:
        """Wait for a task's final notification, at most for ``seconds``.

        Raises:
            NotInTime: it did not come in time.
        """
        end = time.monotonic() + seconds
        while task not in self._notifications:
            left = end - time.monotonic()
            if left <= 0:
                raise NotInTime(f"task {task} has not ended within {seconds:.0f} s")
            self._receive(min(_POLL_SECONDS, int(left)))
        return self._notifications[task]

    def _receive(self, seconds: int) -> None:
        response = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=seconds
        )
        for message in response.get("Messages", ()):
            notification = json.loads(message["Body"])
            if notification.get("status") != "running":
                self._notifications[notification["id"]] = notification
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])


def queue_prefix(settings: Settings) -> str:
    """Return the prefix of all listener queues' names."""
    return f"{settings.names.stack}-inbox-"


@contextmanager
def listening(aws: Aws, settings: Settings) -> Iterator[Listener]:
    """Subscribe a temporary queue to the results topic; both go when the block ends."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    name = f"{queue_prefix(settings)}{token_hex(4)}"
    topic = settings.names.arn("sns", settings.names.results_topic)
    queue = settings.names.arn("sqs", name)
    attributes = {
        "MessageRetentionPeriod": str(_KEEP_SECONDS),
        "SqsManagedSseEnabled": "true",
        # In the same call as the queue: subscribed without it, SNS could deliver nothing.
        "Policy": json.dumps(_sending(queue, topic)),
    }
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    try:
        subscription = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue,
            Attributes={"RawMessageDelivery": "true"},
            # Else SNS may answer "pending confirmation", which cannot be unsubscribed.
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        try:
            yield Listener(sqs, url)
        finally:
            sns.unsubscribe(SubscriptionArn=subscription)
    finally:
        sqs.delete_queue(QueueUrl=url)


def _sending(queue: str, topic: str) -> Mapping[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
