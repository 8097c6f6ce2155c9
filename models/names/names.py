"""Names of an installation's queues, topics, buckets, table and logs.

Infrastructure makes them and the platform looks for them: both take the names from here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from models.settings.groups import Aws


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names that follow from the stack's name and its account and region."""

    stack_name: str
    """The setting ``stackName``, in the case it is written in; the CloudFormation stack's name."""
    aws: "Aws"
    configured_output_bucket: str | None = None
    """The setting ``outputBucketName``; None: the bucket is named for the stack."""

    @property
    def stack(self) -> str:
        """Stack name in lower case, with which nearly all other names begin."""
        return self.stack_name.lower()

    @property
    def tasks_topic(self) -> str:
        """Name of the SNS topic that tasks are published on."""
        return f"{self.stack}-tasks"

    @property
    def results_topic(self) -> str:
        """Name of the SNS topic that notifications are published on."""
        return f"{self.stack}-results"

    def short(self, queue: str) -> str:
        """Return a queue's name without the stack's, which no runtime can have."""
        return queue.removeprefix(f"{self.stack}-")

    def queue(self, runtime: str) -> str:
        """Name the queue of a runtime's tasks."""
        return f"{self.stack}-{runtime}"

    def dead_letters(self, runtime: str) -> str:
        """Name the queue of messages that a runtime's queue gave up."""
        return f"{self.queue(runtime)}-dead-letters"

    @property
    def unrouted(self) -> str:
        """Queue of messages on the tasks topic that no runtime's filter takes."""
        return f"{self.tasks_topic}-unrouted"

    @property
    def undelivered(self) -> str:
        """Queue of messages that SNS could not deliver from the tasks topic to a queue."""
        return f"{self.tasks_topic}-undelivered"

    @property
    def checkpoint_events(self) -> str:
        """Queue of S3's events: what was put into the model bucket, or removed from it."""
        return f"{self.stack}-checkpoint-events"

    @property
    def interruptions(self) -> str:
        """Queue by which EC2 warns Karpenter of nodes that it takes back."""
        return f"{self.stack}-interruptions"

    @property
    def callback_calls(self) -> str:
        """Queue of calls to be made to tasks' callbacks."""
        return f"{self.results_topic}-callbacks"

    @property
    def callback_calls_dead_letters(self) -> str:
        """Queue of calls to callbacks that were given up."""
        return f"{self.callback_calls}-dead-letters"

    @property
    def log_group(self) -> str:
        """Log group of the containers' output; Container Insights gives it this name."""
        # In the case that the cluster's own name has, unlike all other names here.
        return f"/aws/containerinsights/{self.stack_name}/application"

    @property
    def ledger(self) -> str:
        """Name of the DynamoDB table of tasks."""
        return f"{self.stack}-ledger"

    @property
    def output_bucket(self) -> str:
        """Bucket of artifacts; by default named for account and region: all of AWS shares names."""
        return self.configured_output_bucket or f"{self.stack}-outputs{self._account_suffix}"

    @property
    def access_logs_bucket(self) -> str:
        """Bucket to which S3 writes who read what from the platform's own buckets."""
        return f"{self.stack}-logs{self._account_suffix}"

    @property
    def _account_suffix(self) -> str:
        return "" if self.aws.is_local else f"-{self.aws.account}-{self.aws.region}"

    def arn(self, service: Literal["sns", "sqs"], name: str) -> str:
        """Write the ARN of a topic or queue of this account and region."""
        return f"arn:{self.aws.partition}:{service}:{self.aws.region}:{self.aws.account}:{name}"
