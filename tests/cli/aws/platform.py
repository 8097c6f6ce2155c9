"""Installation on the embedded AWS: its stack with outputs, and a worker in a thread."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import yaml
from typing_extensions import override

from deployments.inputs.fetch import Inputs
from deployments.replica import Replica
from deployments.runtimes import kinds_of
from ingest.board import Board
from ingest.boards import FixedIngests
from ingest.wiring import Ports, wire
from models.event import Update
from models.names.tags import PROJECT, TAG, tag
from models.ports import Runner
from models.settings import Runtime, Settings
from models.task import Task
from serve_app.api import api
from serve_app.assembly.front import assemble_front
from serve_app.assembly.workers import adapter, worker
from serve_app.auth import Keys
from serve_app.local.emulator import provision_sync
from serve_app.watching.feed import Feed
from tests.serving import served

KEY = "the-gateways-own-key-of-20-characters"
RUNTIMES = [
    {"name": "painter", "type": "fake", "modelFilename": "shapes", "gpus": 0},
    {"name": "plain", "type": "fake", "gpus": 0},
]


def settings_of(name: str, **more: Any) -> Settings:
    return Settings.read(args=file_of(name, **more))


def file_of(name: str, **more: Any) -> dict[str, Any]:
    """Make a configuration for the account and region that the emulators have."""
    return {
        "stackName": name,
        "aws": {"region": "us-east-1"},
        "modelBucketArn": f"arn:aws:s3:::{name.lower()}-models",
        "apiKeys": [{"name": "us", "key": KEY}],
        "tasks": {"pollSeconds": 1},
        "modelsRuntime": RUNTIMES,
        **more,
    }


def unique(prefix: str = "t") -> str:
    return f"{prefix}{uuid4().hex[:8]}"


def client(service: str) -> Any:
    """Make a client of the AWS that the environment names."""
    return boto3.client(service, region_name="us-east-1")


def made(settings: Settings) -> None:
    """Create queues, buckets and the rest, tagged as a stack tags them."""
    provision_sync(settings)
    for url in client("sqs").list_queues(QueueNamePrefix=f"{settings.names.stack}-")["QueueUrls"]:
        client("sqs").tag_queue(QueueUrl=url, Tags={PROJECT: settings.stack_name})
    tags = [tag(key, settings.stack_name) for key in (PROJECT, TAG)]
    buckets = {settings.names.output_bucket: tags[:1]}
    if settings.storage.create_model_bucket:
        buckets[str(settings.model_bucket)] = tags
    for bucket, its in buckets.items():
        client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": its})
    table = client("dynamodb").describe_table(TableName=settings.names.ledger)["Table"]["TableArn"]
    client("dynamodb").tag_resource(ResourceArn=table, Tags=tags[:1])


def make_stack(
    settings: Settings, *, front: str | None = None, more: Mapping[str, Any] | None = None
) -> None:
    """Create what the commands read of a stack: outputs, API key, and these resources."""
    name = settings.names.stack
    resources: dict[str, Any] = {
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{name}-oldest",
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Namespace": "AWS/SQS",
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 900,
                "ComparisonOperator": "GreaterThanThreshold",
            },
        },
        **(more or {}),
    }
    outputs = {
        "OutputS3Bucket": f"arn:aws:s3:::{settings.names.output_bucket}",
        "ClusterName": settings.stack_name,
    }
    if front is not None:
        key = {"Name": f"{name}-us", "Enabled": True, "Value": KEY}
        resources["Key"] = {"Type": "AWS::ApiGateway::ApiKey", "Properties": key}
        outputs["FrontApiEndpoint"] = f"{front}/"
    template = {
        "Resources": resources,
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    cloudformation = client("cloudformation")
    stack = f"{settings.stack_name}Stack"
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
    )


def write(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    return path


@contextmanager
def working(settings: Settings) -> Iterator[str]:
    """Run HTTP API, ingest and replicas of these settings; yield the API's URL."""
    made(settings)
    started: Future[str] = Future()
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_work(settings, started, stop)))
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        stop.set()
        thread.join(timeout=30)


async def _work(settings: Settings, started: "Future[str]", stop: threading.Event) -> None:
    try:
        async with _line(settings) as url:
            started.set_result(url)
            while not stop.is_set():
                await asyncio.sleep(0.02)
    except BaseException as exc:
        if not started.done():
            started.set_exception(exc)
        raise


@asynccontextmanager
async def _line(settings: Settings) -> AsyncIterator[str]:
    ports, board = wire(settings), Board()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(ports.close)
        for runtime in settings.models_runtime:
            runner = _replica(settings, runtime, ports)
            stack.push_async_callback(runner.close)
            one = worker(settings, runtime, ports, board, _Here(runner))
            working = asyncio.create_task(one.work())
            stack.push_async_callback(asyncio.wait, [working], timeout=10)
            stack.callback(one.drain)
        feed = Feed(FixedIngests({"a": board}), ports.ledger)
        stack.push_async_callback(feed.close)
        keys = Keys(settings.api_keys, settings.gateway.throttle)
        app = api(assemble_front(settings, ports, feed, keys=keys, kinds_of_type=kinds_of))
        yield await stack.enter_async_context(served(app))


class _Here(Runner):
    """Replica without Ray in between."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica

    @override
    def run(self, task: Task, attempt: int) -> AsyncGenerator[Update, None]:
        return self.replica.run(task, attempt)


def _replica(settings: Settings, runtime: Runtime, ports: Ports) -> Replica:
    """Start a replica in these ports, which are closed at the end."""
    return Replica(
        adapter=adapter(settings, runtime),
        inputs=Inputs(settings.inputs, ports.objects, settings.readable_buckets),
        objects=ports.objects,
        output=f"s3://{settings.names.output_bucket}",
        deadline=settings.tasks.deadline_seconds,
    )
