"""How much is in each queue of an installation, and how long the oldest has waited."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import ClientError

from cli.aws.errors import code_of
from cli.aws.sdk import Aws
from models.names.queues import queues, queues_of_services
from models.settings import Settings

_COUNTS = {
    "ApproximateNumberOfMessages": "waiting",
    "ApproximateNumberOfMessagesNotVisible": "held",
    "ApproximateNumberOfMessagesDelayed": "delayed",
}
_NONE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_LOOK_BACK = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Of one queue; the counts are SQS's own, and approximate."""

    name: str
    waiting: int
    held: int
    """Received, and not yet acknowledged."""
    delayed: int
    last_stop: bool
    """Whether nobody receives from it: what is in it went wrong."""

    @property
    def total(self) -> int:
        return self.waiting + self.held + self.delayed


def backlogs(aws: Aws, settings: Settings) -> Iterator[Backlog]:
    """Of each queue that is there."""
    worked = {settings.names.queue(one.name) for one in settings.models_runtime}
    worked |= {settings.names.callback_calls}
    for plan in (
        *queues(settings.names, settings.models_runtime, settings.tasks),
        *queues_of_services(settings.names, settings.model_bucket),
    ):
        counts = counts_of(aws, plan.name)
        if counts is not None:
            yield Backlog(name=plan.name, last_stop=plan.name not in worked, **counts)


def counts_of(aws: Aws, queue: str) -> Mapping[str, int] | None:
    """None where there is no such queue."""
    sqs = aws.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
    except ClientError as exc:
        if code_of(exc) in _NONE:
            return None
        raise
    return {word: int(got.get(name, 0)) for name, word in _COUNTS.items()}


def oldest(aws: Aws, queue: str) -> float | None:
    """Seconds that its oldest message has waited; None where CloudWatch has no figure of late."""
    now = datetime.now(UTC)
    got = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Dimensions=[{"Name": "QueueName", "Value": queue}],
        StartTime=now - _LOOK_BACK,
        EndTime=now,
        Period=60,
        Statistics=["Maximum"],
    )
    points = sorted(got["Datapoints"], key=lambda point: point["Timestamp"])
    return float(points[-1]["Maximum"]) if points else None
