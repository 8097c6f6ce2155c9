"""Stack that CDK synthesizes, made by an emulator's CloudFormation, with ingest beside it.

What the emulator does not do, and so is not seen here: TLS (policies that ask for it are told that
it is there), X-Ray, access logs, encryption with keys of KMS, a bucket's lifecycle at work.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.settings import Settings
from samples.cloud.deploy import HERE, Cloud, deployed
from samples.cloud.line import working

SECONDS = 30.0

_FAKE = {"type": "fake", "gpus": 0, "options": {"gpuMs": 5}}
SETTINGS: Mapping[str, Any] = {
    "stackName": "Clouds",
    "modelBucketArn": "arn:aws:s3:::clouds-models",
    "outputBucketName": "clouds-pictures",
    "aws": {"account": "123456789012", "region": "eu-central-1"},
    "APIGW": {"throttle": {"rateLimit": 1000, "burstLimit": 1000}},
    "modelsRuntime": [
        {"name": "sdruntime", "modelFilename": "model_a.safetensors", **_FAKE},
        {"name": "dynruntime", **_FAKE},
        {"name": "comfy", **_FAKE},
        {"name": "asleep", **_FAKE},
    ],
    "apiKeys": [{"name": "team", "key": "unused: API Gateway makes its own"}],
    "storage": {"createModelBucket": True, "outputDays": 90, "infrequentDays": 30},
    "edge": {"architecture": HERE},
    "tasks": {"pollSeconds": 1, "drainSeconds": 5, "maxReceives": 2},
}
"""Settings with a runtime, ``asleep``, whose queue nobody works on."""


class Inbox:
    """Queue on the results topic, made by somebody who wants notifications."""

    def __init__(self, cloud: Cloud) -> None:
        self.sqs = cloud.client("sqs")
        self.told: dict[str, list[Mapping[str, Any]]] = {}
        topic = cloud.outputs["sdNotificationOutputARN"]
        self.url = self.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        arn = f"arn:aws:sqs:{cloud.aws.region}:{cloud.aws.account}:inbox"
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    async def wait(self, name: str) -> Mapping[str, Any]:
        """Return the notification of a task."""
        await until(lambda: name in self._read())
        return self.told[name][0]

    def _read(self) -> Mapping[str, list[Mapping[str, Any]]]:
        for body in received(self.sqs, self.url):
            one = json.loads(body["Message"])
            self.told.setdefault(one["id"], []).append(one)
        return self.told


@pytest.fixture(scope="package")
def settings() -> Settings:
    return Settings.read(args=SETTINGS)


@pytest.fixture(scope="package")
def cdk_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that `cdk synth` writes to."""
    return tmp_path_factory.mktemp("cdk.out")


@pytest.fixture(scope="package")
def cloud(settings: Settings, cdk_out: Path) -> Iterator[Cloud]:
    with deployed(settings, cdk_out) as made:
        yield made


@pytest.fixture(scope="package")
def inbox(cloud: Cloud) -> Inbox:
    return Inbox(cloud)


@pytest.fixture(scope="package")
async def line(cloud: Cloud) -> AsyncIterator[None]:
    """Run ingest and a replica of each runtime but ``asleep``."""
    awake = [runtime for runtime in SETTINGS["modelsRuntime"] if runtime["name"] != "asleep"]
    async with working(Settings.read(args={**SETTINGS, "modelsRuntime": awake}), cloud):
        yield


@pytest.fixture(scope="package")
async def client(cloud: Cloud) -> AsyncIterator[httpx.AsyncClient]:
    """Client of API Gateway without a key."""
    async with httpx.AsyncClient(base_url=cloud.url, timeout=SECONDS) as made:
        yield made


def received(sqs: Any, url: str) -> list[Mapping[str, Any]]:
    """Return the bodies of a queue's messages, and delete them."""
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in got:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in got]


async def until(done: Callable[[], Any]) -> Any:
    """Return the result of ``done`` as soon as it is true."""
    async with asyncio.timeout(SECONDS):
        while not (got := done()):
            await asyncio.sleep(0.05)
    return got
