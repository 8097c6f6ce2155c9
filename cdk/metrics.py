"""Metrics: of queues and events as AWS measures them; of tasks' ends and fleets from the log."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import MathExpression, Metric
from aws_cdk.aws_events import IRule
from aws_cdk.aws_logs import FilterPattern, ILogGroup, MetricFilter
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

MINUTE = Duration.minutes(1)
QUARTER = Duration.minutes(15)

_JSON_LINE = "$.log_processed"
"""JSON path of a line of JSON that a container printed, as the agent's Fluent Bit wraps it."""
_TASK_ENDED = f'({_JSON_LINE}.message = "task_ended")'
_FLEET = f'{{ {_JSON_LINE}.message = "fleet" }}'
ENDED, FAILED = "Ended", "Failed"
WANTED, RUNNING, STARTING = "Wanted", "Running", "Starting"


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """Filter that makes data points of a metric from lines of the log."""

    pattern: str
    value: str = "1"
    """Value of a data point: a number, or the JSON path of one in the line."""


FILTERS: Mapping[str, LogFilter] = {
    ENDED: LogFilter(pattern=f'{{ {_TASK_ENDED} && ({_JSON_LINE}.status != "cancelled") }}'),
    FAILED: LogFilter(pattern=f'{{ {_TASK_ENDED} && ({_JSON_LINE}.status = "failed") }}'),
    WANTED: LogFilter(pattern=_FLEET, value=f"{_JSON_LINE}.wanted"),
    RUNNING: LogFilter(pattern=_FLEET, value=f"{_JSON_LINE}.running"),
    STARTING: LogFilter(pattern=_FLEET, value=f"{_JSON_LINE}.starting"),
}
"""Filters by metric. Ingest logs ``task_ended`` when it has notified of a task's end, and ``fleet``
with the replicas of a runtime each minute and when they change."""
_RUNTIME = "Runtime"
_LEAST_ENDED = 10
"""Least number of ended tasks for a failure ratio: one mistake of one client is no alarm."""


class LogMetrics(Construct):
    """Metrics from the log of the cluster's containers: how tasks end, and how fleets stand."""

    def __init__(self, scope: Construct, name: str, *, namespace: str, log: ILogGroup) -> None:
        super().__init__(scope, name)
        self._namespace = namespace
        for metric, each in FILTERS.items():
            MetricFilter(
                self,
                metric,
                log_group=log,
                filter_pattern=FilterPattern.literal(each.pattern),
                metric_namespace=namespace,
                metric_name=metric,
                metric_value=each.value,
                # CloudWatch takes no default value beside dimensions: no line, no data point.
                dimensions={_RUNTIME: f"{_JSON_LINE}.runtime"},
            )

    def count(self, metric: str, runtime: str, period: Duration = MINUTE) -> Metric:
        """Return the sum of ``ENDED`` (none cancelled) or ``FAILED``; no value where none is."""
        return self._metric(metric, runtime, "Sum", period)

    def replicas(self, metric: str, runtime: str, statistic: str = "Maximum") -> Metric:
        """Return the replicas ``WANTED``, ``RUNNING`` or ``STARTING``; a value each minute."""
        return self._metric(metric, runtime, statistic, MINUTE)

    def _metric(self, metric: str, runtime: str, statistic: str, period: Duration) -> Metric:
        return Metric(
            namespace=self._namespace,
            metric_name=metric,
            dimensions_map={_RUNTIME: runtime},
            statistic=statistic,
            period=period,
        )

    def starved(self, runtime: str, queue: IQueue) -> MathExpression:
        """Return 1 for a minute with fewer replicas than wanted, or tasks none of which ends.

        Else 0: also while nothing is wanted and nothing runs, at zero.
        """
        return MathExpression(
            # Without FILL a minute without lines or deletions would have no value, and so raise
            # no alarm: then ingest is away, and what waits still does not end.
            expression="IF((FILL(wanted, 0) > FILL(running, 0))"
            " OR ((waiting + held > 0) AND (FILL(ended, 0) < 1)), 1, 0)",
            using_metrics={
                # Both are the kinder of a minute's lines: a start within it is no lack.
                "wanted": self.replicas(WANTED, runtime, "Minimum"),
                "running": self.replicas(RUNNING, runtime),
                "waiting": waiting(queue),
                "held": in_flight(queue),
                "ended": ended(queue),
            },
            label="starved",
            period=MINUTE,
        )

    def failed_ratio(self, runtime: str) -> MathExpression:
        """Return the share of failed tasks in 15 minutes, 0 to 1; 0 while fewer than 10 ended.

        It has no value while none failed: the filter then writes no data point, and nothing fills
        it in.
        """
        return MathExpression(
            expression=f"IF(ended >= {_LEAST_ENDED}, failed / ended, 0)",
            using_metrics={
                "failed": self.count(FAILED, runtime, QUARTER),
                "ended": self.count(ENDED, runtime, QUARTER),
            },
            label=f"{runtime}: failed",
            period=QUARTER,
        )


def oldest_age(queue: IQueue) -> Metric:
    """Return the age of a queue's oldest message, in seconds."""
    return queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum")


def waiting(queue: IQueue) -> Metric:
    return queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")


def in_flight(queue: IQueue) -> Metric:
    """Return the number of messages that ingest has leased: they run, or wait for a replica."""
    return queue.metric_approximate_number_of_messages_not_visible(
        period=MINUTE, statistic="Maximum"
    )


def ended(queue: IQueue) -> Metric:
    """Return the number of messages whose task came to its end: ingest deletes them then."""
    return queue.metric_number_of_messages_deleted(period=MINUTE, statistic="Sum")


def interruptions(warnings: IRule) -> Metric:
    """Return the number of Spot interruption warnings in 15 minutes."""
    return Metric(
        namespace="AWS/Events",
        metric_name="TriggeredRules",
        dimensions_map={"RuleName": warnings.rule_name},
        statistic="Sum",
        period=QUARTER,
        label="Spot nodes taken back",
    )
