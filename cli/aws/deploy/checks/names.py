"""Check for names that the stack would use and that belong to another installation."""

from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.retained import retained
from cli.aws.sdk import Aws
from models.names.queues import queue_names
from models.names.tags import PROJECT
from models.settings import Settings


def names(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Check that existing resources with our names carry our tag.

    The stack would fail or adopt them.
    """
    taken = [*_queues(aws, settings), *_foreign_resources(aws, settings)]
    yield from taken or [Finding("names", "there", "free, or ours")]


def _queues(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Yield queues with our names and another owner.

    Runtime `b-sd` of `a` collides with `sd` of `a-b`.
    """
    own = {
        *queue_names(settings.names, settings.models_runtime, settings.tasks, settings.model_bucket)
    }
    prefix = f"{settings.names.stack}-"
    for url in aws.paginated("sqs", "list_queues", "QueueUrls", QueueNamePrefix=prefix):
        name = url.rpartition("/")[2]
        if name not in own:
            continue
        owner = aws.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}).get(PROJECT)
        if owner != settings.stack_name:
            remedy = "choose another stackName, or another name for the runtime"
            yield Finding(f"queue {name}", "missing", _owner_text(owner), remedy)


def _foreign_resources(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Yield names of buckets, tables and repositories that belong to somebody else.

    CloudFormation would adopt them, and destroy them with the stack.
    """
    keys = {
        settings.names.output_bucket: "outputBucketName",
        settings.model_bucket: "modelBucketArn",
    }
    for resource in retained(aws, settings):
        if resource.foreign:
            remedy = (
                f"choose another {keys.get(resource.name, 'stackName')}, or tag it"
                f" {PROJECT}={settings.stack_name} if the stack is to take it in"
            )
            yield Finding(f"{resource.kind} {resource.name}", "missing", _owner_text(None), remedy)


def _owner_text(owner: str | None) -> str:
    return f"of the installation {owner}" if owner else "there, and not of this installation"
