"""Names that the stack would use, and somebody else has."""

from collections.abc import Iterator

from cli.aws.deploy.checks.finding import Finding
from cli.aws.retained import retained
from cli.aws.sdk import Aws
from models.names.queues import queue_names
from models.names.tags import PROJECT
from models.settings import Settings


def names(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """What is there by a name of ours must have our tag: the stack would fail at it, or take it."""
    taken = [*_queues(aws, settings), *_kept(aws, settings)]
    yield from taken or [Finding("names", "there", "free, or ours")]


def _queues(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """Installation `a` with a runtime `b-sd` has a queue that `a-b` has for its `sd`."""
    own = {
        *queue_names(settings.names, settings.models_runtime, settings.tasks, settings.model_bucket)
    }
    prefix = f"{settings.names.stack}-"
    for url in aws.all("sqs", "list_queues", "QueueUrls", QueueNamePrefix=prefix):
        name = url.rpartition("/")[2]
        if name not in own:
            continue
        whose = aws.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}).get(PROJECT)
        if whose != settings.stack_name:
            remedy = "choose another stackName, or another name for the runtime"
            yield Finding(f"queue {name}", "missing", _told(whose), remedy)


def _kept(aws: Aws, settings: Settings) -> Iterator[Finding]:
    """CloudFormation would take it in all the same, and destroy it as ours."""
    keys = {
        settings.names.output_bucket: "outputBucketName",
        settings.model_bucket: "modelBucketArn",
    }
    for one in retained(aws, settings):
        if one.foreign:
            remedy = f"choose another {keys.get(one.name, 'stackName')}, or tag it"
            remedy += f" {PROJECT}={settings.stack_name} if the stack is to take it in"
            yield Finding(f"{one.kind} {one.name}", "missing", _told(None), remedy)


def _told(whose: str | None) -> str:
    return f"of the installation {whose}" if whose else "there, and not of this installation"
