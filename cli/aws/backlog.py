"""Message counts of an installation's queues, and the age of each queue's oldest message."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli.aws.sdk import Aws, suppressed
from models.names.queues import queues, queues_of_services
from models.settings import Settings

_COUNTS = {
    "ApproximateNumberOfMessages": "waiting",
    "ApproximateNumberOfMessagesNotVisible": "held",
    "ApproximateNumberOfMessagesDelayed": "delayed",
}
# The code as SQS's former protocol says it, and as the present one does.
_NONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
# Figures come each minute, some minutes late.
_LOOK_BACK = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Message counts of a queue; SQS counts approximately."""

    name: str
    waiting: int
    held: int
    """Messages that were received and not yet acknowledged."""
    delayed: int
    last_stop: bool
    """Flag: nobody consumes the queue (dead letters, unrouted tasks): each message is a failure."""

    @property
    def total(self) -> int:
        return self.waiting + self.held + self.delayed


def backlogs(aws: Aws, settings: Settings) -> Iterator[Backlog]:
    """Yield the backlog of each queue of the installation that exists."""
    worked = {
        *(settings.names.queue(runtime.name) for runtime in settings.models_runtime),
        settings.names.callback_calls,
    }
    for plan in (
        *queues(settings.names, settings.models_runtime, settings.tasks),
        *queues_of_services(settings.names, settings.model_bucket),
    ):
        counts = counts_of(aws, plan.name)
        if counts is not None:
            yield Backlog(name=plan.name, last_stop=plan.name not in worked, **counts)


def counts_of(aws: Aws, queue: str) -> Mapping[str, int] | None:
    """Return SQS's counts by their names in `Backlog`; None if the queue does not exist."""
    sqs = aws.client("sqs")
    with suppressed(*_NONE):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
        return {word: int(answer["Attributes"].get(name, 0)) for name, word in _COUNTS.items()}
    return None


def oldest(aws: Aws, queue: str) -> float | None:
    """Return the age in seconds of the oldest message.

    None if CloudWatch has had no figure for 15 min.
    """
    now = datetime.now(UTC)
    statistics = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=now - _LOOK_BACK,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    # CloudWatch gives them in no order.
    points = sorted(statistics["Datapoints"], key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) if points else None
