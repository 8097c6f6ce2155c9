"""Topics, queues, the subscriptions between them, and grants on them.

The topics are encrypted with the key that AWS keeps for SNS: a publisher needs ``sns:Publish`` and
nothing more, and no service of AWS, which could not use that key, publishes on them. The queues use
SQS's own keys: SNS and EventBridge cannot send into a queue that has AWS's key in KMS.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from aws_cdk import Duration
from aws_cdk.aws_events import EventPattern, Rule
from aws_cdk.aws_events_targets import SqsQueue
from aws_cdk.aws_iam import IRole, PolicyStatement, ServicePrincipal
from aws_cdk.aws_kms import Alias, IKey
from aws_cdk.aws_sns import CfnSubscription, CfnTopic, Topic
from aws_cdk.aws_sqs import DeadLetterQueue, Queue, QueueEncryption
from constructs import Construct

from cdk.grants import grant
from cdk.nag import acknowledge
from models.names.queues import QueuePlan, queues, queues_of_services
from models.settings import Settings


class Messaging(Construct):
    """Topics and queues: tasks on their way to a runtime, notifications on their way out."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        key = Alias.from_alias_name(self, "SnsKey", "alias/aws/sns")
        # The logical ids are those of the reference system: scripts look its topics up by them.
        self.tasks = self._topic(settings.names.tasks_topic, key, "sdNotificationLambdaCfn")
        self.results = self._topic(settings.names.results_topic, key, "sdNotificationOutputCfn")
        self._all: dict[str, Queue] = {}
        # Those of services first: each subscription names the queue of what is undelivered.
        for plan in (
            *queues_of_services(settings.names, settings.model_bucket),
            *queues(settings.names, settings.models_runtime, settings.tasks),
        ):
            self._all[plan.name] = self._queue(plan)
            if plan.policy is not None:
                self._subscribe(plan)
        runtimes = [runtime.name for runtime in settings.models_runtime]
        self.queues = {name: self._all[settings.names.queue(name)] for name in runtimes}
        """Task queues by the runtime's name."""
        self.dead_letters = {
            name: self._all[settings.names.dead_letters(name)] for name in runtimes
        }
        """Dead-letter queues of tasks by the runtime's name."""
        self.unrouted = self._all[settings.names.unrouted]
        self.undelivered = self._all[settings.names.undelivered]
        self.callback_calls = self._all[settings.names.callback_calls]
        """Queue of calls to tasks' callbacks."""
        self.callback_call_dead_letters = self._all[settings.names.callback_calls_dead_letters]
        self._admit_tasks_topic(self.undelivered)
        self.checkpoint_events = self._all.get(settings.names.checkpoint_events)
        if self.checkpoint_events is not None:
            self._follow_checkpoints(self.checkpoint_events)

    @property
    def watched_queues(self) -> Mapping[str, tuple[Queue, str]]:
        """Queues that people look after, by a short name, each with what a message there means."""
        of_runtimes = {
            f"{name}-dead-letters": (queue, f"{name} could not take a task: the message says why.")
            for name, queue in self.dead_letters.items()
        }
        return of_runtimes | {
            "results-callbacks-dead-letters": (
                self.callback_call_dead_letters,
                "A client's server did not take a call in all its tries.",
            ),
            "unrouted": (
                self.unrouted,
                "A message named no runtime that there is, or one in unusual case (sdRunTime).",
            ),
            "undelivered": (
                self.undelivered,
                "SNS could not bring a task to its queue: look at the queue's policy.",
            ),
        }

    def grant_task_publishing(self, grantee: IRole) -> None:
        grant(grantee, ["sns:Publish"], [self.tasks.topic_arn])

    def grant_notification_publishing(self, grantee: IRole) -> None:
        """Grant publishing notifications, and queueing calls to callbacks."""
        grant(grantee, ["sns:Publish"], [self.results.topic_arn])
        _grant_sends(grantee, [self.callback_calls])

    def grant_backlog_reads(self, grantee: IRole) -> None:
        actions = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
        grant(grantee, actions, [queue.queue_arn for queue in self.queues.values()])

    def grant_dead_letter_work(self, grantee: IRole) -> None:
        """Grant looking at dead letters, deleting them, and sending them to their queues again."""
        letters = [queue.queue_arn for queue, _ in self.watched_queues.values()]
        actions = [
            "sqs:GetQueueUrl",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
        ]
        grant(grantee, actions, letters)
        _grant_sends(grantee, [*self.queues.values(), self.callback_calls])

    def grant_message_consumption(self, grantee: IRole) -> None:
        """Grant receiving, extending, acknowledging and dead-lettering tasks and callback calls."""
        worked = [*self.queues.values(), self.callback_calls]
        actions = [
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
        ]
        grant(grantee, actions, [queue.queue_arn for queue in worked])
        _grant_sends(grantee, [*self.dead_letters.values(), self.callback_call_dead_letters])

    def _topic(self, name: str, key: IKey, logical_id: str) -> Topic:
        topic = Topic(self, logical_id, topic_name=name, master_key=key, enforce_ssl=True)
        cast("CfnTopic", topic.node.default_child).override_logical_id(logical_id)
        return topic

    def _queue(self, plan: QueuePlan) -> Queue:
        dead_letters = plan.dead_letters and DeadLetterQueue(
            queue=self._all[plan.dead_letters], max_receive_count=plan.max_receives
        )
        queue = Queue(
            self,
            self._id(plan),
            queue_name=plan.name,
            retention_period=Duration.days(plan.days),
            visibility_timeout=Duration.seconds(plan.visibility_seconds),
            dead_letter_queue=dead_letters or None,
            encryption=QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        if dead_letters is None:
            acknowledge(queue, "SQS3", "Nothing works on it, so nothing can fail there.")
        return queue

    def _subscribe(self, plan: QueuePlan) -> None:
        queue = self._all[plan.name]
        self._admit_tasks_topic(queue)
        undelivered = self._all[self._settings.names.undelivered]
        subscription = CfnSubscription(
            self,
            f"{self._id(plan)}-subscription",
            topic_arn=self.tasks.topic_arn,
            protocol="sqs",
            endpoint=queue.queue_arn,
            filter_policy=plan.policy,
            # As in the reference system; raw, SNS would drop what has more than ten attributes.
            raw_message_delivery=False,
            redrive_policy={"deadLetterTargetArn": undelivered.queue_arn},
        )
        subscription.node.add_dependency(queue)  # with its policy, without which SNS drops messages

    def _admit_tasks_topic(self, queue: Queue) -> None:
        queue.add_to_resource_policy(
            PolicyStatement(
                sid="OnlyTheTasksTopic",
                principals=[ServicePrincipal("sns.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self.tasks.topic_arn}},
            )
        )

    def _follow_checkpoints(self, queue: Queue) -> None:
        Rule(
            self,
            "Checkpoints",
            description="What was put into the model bucket, or removed from it.",
            event_pattern=EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created", "Object Deleted"],
                detail={"bucket": {"name": [self._settings.model_bucket]}},
            ),
            targets=[SqsQueue(queue)],
        )

    def _id(self, plan: QueuePlan) -> str:
        """Return a queue's construct id: its name without the stack's prefix."""
        return plan.name.removeprefix(f"{self._settings.names.stack}-")


def _grant_sends(grantee: IRole, queues: Iterable[Queue]) -> None:
    grant(grantee, ["sqs:GetQueueUrl", "sqs:SendMessage"], [queue.queue_arn for queue in queues])
