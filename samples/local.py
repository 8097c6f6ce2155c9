"""A platform on this machine, started for a while, and a small client of it.

The demo, the benchmark and the tests over a real Ray use it; it shows what any client does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx

_STOP_SECONDS = 60


class LocalPlatform:
    """Client of a running platform, by HTTP, SNS, SQS and S3."""

    def __init__(
        self, address: Mapping[str, Any], *, aws_endpoint: str | None = None, pid: int = 0
    ) -> None:
        self.address = address
        self.pid = pid
        """Id of the process that runs the platform; 0 where another one started it."""
        aws: dict[str, Any] = {
            "endpoint_url": aws_endpoint or address["aws_endpoint"],
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "region_name": "us-east-1",
        }
        self.sns = boto3.client("sns", **aws)
        self.sqs = boto3.client("sqs", **aws)
        self.s3 = boto3.client("s3", **aws)
        self.inbox = self._subscribe(f"{address['output_bucket']}-inbox")

    def submit(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post a task, ``{"metadata", "content"}``, and return the answer."""
        response = self.post("/v1alpha2", {"task": message})
        response.raise_for_status()
        answer: Mapping[str, Any] = response.json()
        return answer

    def post(self, path: str, body: Any) -> httpx.Response:
        key = {"x-api-key": self.address["api_key"]}
        return httpx.post(f"{self.address['url']}{path}", headers=key, json=body, timeout=30)

    def publish(self, message: Any, **attributes: str) -> None:
        """Publish straight on the tasks topic, as any SNS client may."""
        self.sns.publish(
            TopicArn=self.address["tasks_topic"],
            Message=json.dumps(message),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )

    def notifications(self, seconds: int = 1) -> Iterator[Mapping[str, Any]]:
        """Yield new notifications from the results topic; wait up to ``seconds`` for the first.

        A message is deleted once the caller comes back for the next one.
        """
        got = self.sqs.receive_message(
            QueueUrl=self.inbox, MaxNumberOfMessages=10, WaitTimeSeconds=seconds
        )
        for message in got.get("Messages", []):
            yield json.loads(message["Body"])
            self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])

    def fetch(self, uri: str) -> bytes:
        """Fetch the object behind an ``s3://`` URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def _subscribe(self, name: str) -> str:
        url: str = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        got = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.sns.subscribe(
            TopicArn=self.address["results_topic"],
            Protocol="sqs",
            Endpoint=got["Attributes"]["QueueArn"],
            # Raw: the body is the notification itself, and not SNS's envelope around it.
            Attributes={"RawMessageDelivery": "true"},
        )
        return url


@contextmanager
def running(
    config: Path = Path("config.yaml"),
    *,
    environment: Mapping[str, str] | None = None,
    aws_endpoint: str | None = None,
    ports: tuple[int, int] = (0, 0),
) -> Iterator[LocalPlatform]:
    """Run `atelier up`, and stop it at the end.

    ``ports``: of HTTP and of the emulator; 0 is a free one.

    Raises:
        RuntimeError: it did not start; what it said stands on standard error.
    """
    command = [sys.executable, "-m", "cli", "up", "--config", str(config)]
    http, aws = map(str, ports)
    command += ["--port", http, "--aws-port", aws, "--json"]
    environment = os.environ | (environment or {})
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            # One line of JSON when all is up; none at all means that the start has failed.
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"the platform did not start (status {process.wait()})")
            yield LocalPlatform(json.loads(line), aws_endpoint=aws_endpoint, pid=process.pid)
        finally:
            process.terminate()
            process.wait(timeout=_STOP_SECONDS)
