"""Alarms, the topic that they notify, and a dashboard."""

from collections.abc import Iterable, Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk.aws_apigateway import RestApi
from aws_cdk.aws_cloudwatch import (
    Alarm,
    AlarmStatusWidget,
    ComparisonOperator,
    Dashboard,
    GraphWidget,
    IMetric,
    TreatMissingData,
)
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_events import IRule
from aws_cdk.aws_iam import PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_logs import ILogGroup
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sns_subscriptions import EmailSubscription
from constructs import Construct

from cdk import metrics
from cdk.messaging import Messaging
from cdk.metrics import ENDED, FAILED, RUNNING, STARTING, WANTED, LogMetrics
from models.settings import Settings

_CLOUDWATCH = ServicePrincipal("cloudwatch.amazonaws.com")
_CONSECUTIVE_MINUTES = 3
"""Consecutive minutes above a limit that make an alarm: one data point alone may be an accident."""
_HALF_WIDTH, _FULL_WIDTH = 12, 24
"""Widths of widgets in columns of the dashboard, which has 24."""


class Monitoring(Construct):
    """Alarms on queues, runtimes and Spot nodes, their topic, and the dashboard."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: Settings,
        messaging: Messaging,
        log: ILogGroup,
        spot_warnings: IRule,
        api: RestApi | None = None,
    ) -> None:
        """Build alarms and dashboard; ``log`` is the log group that has what containers print."""
        super().__init__(scope, name)
        self._settings = settings
        self._limits = settings.alarms
        self._messaging = messaging
        self._log_metrics = LogMetrics(
            self, "Ends", namespace=f"atelier/{settings.names.stack}", log=log
        )
        self._warnings = spot_warnings
        self.topic = self._topic()
        self.alarms = [*self._runtime_alarms(), *self._watched_queue_alarms(), self._spot_alarm()]
        self._dashboard(api)

    def _topic(self) -> Topic:
        """Make the alarms' topic with a KMS key of its own.

        CloudWatch cannot publish with the key that AWS keeps for SNS: nobody can change that key's
        policy.
        """
        key = Key(
            self,
            "Key",
            description=f"{self._settings.names.stack}: alarms",
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.DESTROY,
            pending_window=Duration.days(7),
        )
        topic = Topic(
            self,
            "Alarms",
            topic_name=f"{self._settings.names.stack}-alarms",
            master_key=key,
            enforce_ssl=True,
        )
        key.add_to_resource_policy(
            PolicyStatement(
                principals=[_CLOUDWATCH],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],  # in a key's own policy: this key
            )
        )
        topic.add_to_resource_policy(
            PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[_CLOUDWATCH],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        for email in self._limits.emails:
            topic.add_subscription(EmailSubscription(email))
        return topic

    def _runtime_alarms(self) -> Iterable[Alarm]:
        for runtime, queue in self._messaging.queues.items():
            yield self._alarm(
                f"{runtime}-oldest",
                metrics.oldest_age(queue),
                above=self._limits.oldest_seconds,
                periods=_CONSECUTIVE_MINUTES,
                why=f"The oldest task of {runtime} has waited for {self._limits.oldest_seconds} s: "
                "there are too few replicas, or none that works.",
            )
            yield self._alarm(
                f"{runtime}-failed",
                self._log_metrics.failed_ratio(runtime),
                above=self._limits.failed_ratio,
                periods=1,
                why=f"Of {runtime}'s tasks that ended in 15 minutes more than "
                f"{self._limits.failed_ratio:.0%} failed: clients send what it cannot do, "
                "or it is broken.",
            )
            yield self._alarm(
                f"{runtime}-starved",
                self._log_metrics.starved(runtime, queue),
                above=0,
                periods=self._limits.starved_minutes,
                why=f"For {self._limits.starved_minutes} minutes {runtime} had fewer replicas than "
                "its tasks want, or tasks none of which ended: no node comes, or replicas fail.",
            )

    def _watched_queue_alarms(self) -> Iterable[Alarm]:
        for name, (queue, why) in self._messaging.watched_queues.items():
            yield self._alarm(name, metrics.waiting(queue), above=0, periods=1, why=why)

    def _spot_alarm(self) -> Alarm:
        most = self._limits.interruptions
        return self._alarm(
            "spot-interruptions",
            metrics.interruptions(self._warnings),
            # An alarm compares by "greater than".
            above=most - 1,
            periods=1,
            why=f"AWS took back {most} Spot nodes of this account and region in 15 minutes: "
            "tasks are started again and again; allow more instance types, or on-demand.",
        )

    def _alarm(self, name: str, metric: IMetric, *, above: float, periods: int, why: str) -> Alarm:
        """Make an alarm for values above a limit; missing data is no alarm.

        SQS stops measuring a queue that was idle for hours, and a metric filter writes nothing for
        no lines.
        """
        alarm = Alarm(
            self,
            name,
            alarm_name=f"{self._settings.names.stack}-{name}",
            alarm_description=why,
            metric=metric,
            threshold=above,
            comparison_operator=ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=periods,
            treat_missing_data=TreatMissingData.NOT_BREACHING,
        )
        notification = SnsAction(self.topic)
        alarm.add_alarm_action(notification)
        alarm.add_ok_action(notification)
        return alarm

    def _dashboard(self, api: RestApi | None) -> None:
        dashboard = Dashboard(self, "Dashboard", dashboard_name=self._settings.names.stack)
        dashboard.add_widgets(
            AlarmStatusWidget(title="Alarms", alarms=self.alarms, width=_FULL_WIDTH)
        )
        for runtime, queue in self._messaging.queues.items():
            dashboard.add_widgets(
                _graph(f"{runtime}: tasks", [metrics.waiting(queue), metrics.in_flight(queue)]),
                _graph(f"{runtime}: age of the oldest, s", [metrics.oldest_age(queue)]),
            )
            ends = [self._log_metrics.count(metric, runtime) for metric in (ENDED, FAILED)]
            replicas = (WANTED, RUNNING, STARTING)
            dashboard.add_widgets(
                _graph(
                    f"{runtime}: replicas wanted, running, starting",
                    [self._log_metrics.replicas(metric, runtime) for metric in replicas],
                ),
            )
            dashboard.add_widgets(
                _graph(f"{runtime}: tasks ended, and failed, a minute", ends),
                _graph(f"{runtime}: failed, of all", [self._log_metrics.failed_ratio(runtime)]),
            )
        stops = [metrics.waiting(queue) for queue, _ in self._messaging.watched_queues.values()]
        dashboard.add_widgets(
            _graph("Where nothing should be", stops),
            _graph("Spot", [metrics.interruptions(self._warnings)]),
        )
        if api is not None:
            dashboard.add_widgets(
                _graph("HTTP", [api.metric_count(), api.metric_client_error()]),
                _graph("HTTP: ours", [api.metric_server_error(), api.metric_latency()]),
            )


def _graph(title: str, metrics: Sequence[IMetric]) -> GraphWidget:
    return GraphWidget(title=title, left=list(metrics), width=_HALF_WIDTH)
