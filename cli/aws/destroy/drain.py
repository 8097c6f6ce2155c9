"""Drain an installation: accept no new task, and wait until the accepted ones have ended."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cli.aws.backlog import Backlog, backlogs
from cli.aws.sdk import Aws, NotInTime, suppressed
from models.settings import Settings

_SID = "AtelierPaused"


@dataclass(frozen=True)
class Drain:
    """Drains the queues of an installation."""

    aws: Aws
    settings: Settings
    note: Callable[[str], None]
    pause: float = 10.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Deny publishing to the tasks topic in the block; allow it again if the block fails."""
        former = self._read_policy()
        if former is None:
            yield  # no topic, so no tasks
            return
        self._set_policy({**former, "Statement": [*_without_ours(former), self._deny_all()]})
        try:
            yield
        except BaseException:
            # Ctrl-C as well: the topic would stay closed to everybody.
            if self._read_policy() is not None:  # a half-deleted stack may have none
                self._set_policy({**former, "Statement": _without_ours(former)})
            raise

    def wait(self, seconds: float) -> None:
        """Wait until every queue that has a consumer is empty.

        Raises:
            NotInTime: a queue still has messages after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not self._is_idle():
            left = ", ".join(f"{queue.name} has {queue.total}" for queue in self._busy_queues())
            if time.monotonic() > deadline:
                raise NotInTime(
                    f"{left}; they go on, and new tasks are taken again."
                    " Wait longer (--drain-seconds), or give them up (--now)"
                )
            self.note(f"waiting for tasks to end: {left}")
            time.sleep(self.pause)

    def _is_idle(self) -> bool:
        """Tell whether the queues are empty, at two looks: SQS counts approximately."""
        if self._busy_queues():
            return False
        time.sleep(self.pause / 10)
        return not self._busy_queues()

    def _busy_queues(self) -> list[Backlog]:
        every = backlogs(self.aws, self.settings)
        return [queue for queue in every if queue.total and not queue.last_stop]

    @property
    def _topic(self) -> str:
        return self.settings.names.arn("sns", self.settings.names.tasks_topic)

    def _read_policy(self) -> dict[str, Any] | None:
        with suppressed("NotFound", "NotFoundException"):
            topic = self.aws.client("sns").get_topic_attributes(TopicArn=self._topic)
            policy: dict[str, Any] = json.loads(topic["Attributes"].get("Policy") or "{}")
            return {"Version": "2012-10-17", "Statement": [], **policy}
        return None

    def _deny_all(self) -> dict[str, Any]:
        """Make the policy statement that denies publishing, whatever other statements allow."""
        return {
            "Sid": _SID,
            # A Deny wins over every Allow, wherever that stands.
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": self._topic,
        }

    def _set_policy(self, policy: dict[str, Any]) -> None:
        self.aws.client("sns").set_topic_attributes(
            TopicArn=self._topic, AttributeName="Policy", AttributeValue=json.dumps(policy)
        )


def _without_ours(policy: dict[str, Any]) -> list[Any]:
    """Return the policy's statements without ours, which an earlier run may have left."""
    return [statement for statement in policy["Statement"] if statement.get("Sid") != _SID]
