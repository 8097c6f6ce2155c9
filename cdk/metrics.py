"""What is measured: queues and events by AWS itself, how tasks end by filters on the log."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk.aws_cloudwatch import MathExpression, Metric
from aws_cdk.aws_events import IRule
from aws_cdk.aws_logs import FilterPattern, ILogGroup, MetricFilter
from aws_cdk.aws_sqs import IQueue
from constructs import Construct

MINUTE = Duration.minutes(1)
QUARTER = Duration.minutes(15)

_LINE = "$.log_processed"
"""Where the CloudWatch agent's Fluent Bit puts a line of JSON that a container printed."""
_END = f'({_LINE}.message = "task_ended")'
ENDED, FAILED = "Ended", "Failed"
FILTERS: Mapping[str, str] = {
    ENDED: f'{{ {_END} && ({_LINE}.status != "cancelled") }}',
    FAILED: f'{{ {_END} && ({_LINE}.status = "failed") }}',
}
"""What of the log is counted for each runtime: ingest writes it when a task's end is told."""
_RUNTIME = "Runtime"
_FEWEST = 10
"""Tasks that say something about a ratio: one mistake of one client is no alarm."""


class Ends(Construct):
    """How tasks end, counted from the log of the cluster's containers."""

    def __init__(self, scope: Construct, name: str, *, namespace: str, log: ILogGroup) -> None:
        super().__init__(scope, name)
        self._namespace = namespace
        for metric, pattern in FILTERS.items():
            MetricFilter(
                self,
                metric,
                log_group=log,
                filter_pattern=FilterPattern.literal(pattern),
                metric_namespace=namespace,
                metric_name=metric,
                metric_value="1",
                dimensions={_RUNTIME: f"{_LINE}.runtime"},
            )

    def count(self, metric: str, runtime: str, period: Duration = MINUTE) -> Metric:
        """``ENDED``, which a cancelled task is not, or ``FAILED``; no value where there is none."""
        return Metric(
            namespace=self._namespace,
            metric_name=metric,
            dimensions_map={_RUNTIME: runtime},
            statistic="Sum",
            period=period,
        )

    def failed_ratio(self, runtime: str) -> MathExpression:
        """From 0 to 1, of a quarter of an hour; 0 where too few ended to tell.

        No value where none failed: what never was has none either, and nothing fills it.
        """
        return MathExpression(
            expression=f"IF(ended >= {_FEWEST}, failed / ended, 0)",
            using_metrics={
                "failed": self.count(FAILED, runtime, QUARTER),
                "ended": self.count(ENDED, runtime, QUARTER),
            },
            label=f"{runtime}: failed",
            period=QUARTER,
        )


def oldest(queue: IQueue) -> Metric:
    """Seconds since the oldest message was sent."""
    return queue.metric_approximate_age_of_oldest_message(period=MINUTE, statistic="Maximum")


def waiting(queue: IQueue) -> Metric:
    return queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")


def held(queue: IQueue) -> Metric:
    """Messages that ingest has leased: they run, or wait for a replica."""
    return queue.metric_approximate_number_of_messages_not_visible(
        period=MINUTE, statistic="Maximum"
    )


def ended(queue: IQueue) -> Metric:
    """Messages whose task came to its end."""
    return queue.metric_number_of_messages_deleted(period=MINUTE, statistic="Sum")


def starved(queue: IQueue) -> MathExpression:
    """1 while tasks are there and none of them ends, else 0."""
    return MathExpression(
        expression="IF((waiting + held > 0) AND (FILL(ended, 0) < 1), 1, 0)",
        using_metrics={"waiting": waiting(queue), "held": held(queue), "ended": ended(queue)},
        label="starved",
        period=MINUTE,
    )


def interruptions(warnings: IRule) -> Metric:
    """Spot nodes that AWS takes back, as often as it says so."""
    return Metric(
        namespace="AWS/Events",
        metric_name="TriggeredRules",
        dimensions_map={"RuleName": warnings.rule_name},
        statistic="Sum",
        period=QUARTER,
        label="Spot nodes taken back",
    )
