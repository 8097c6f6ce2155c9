"""Verdict on a task's end: its notification, and the objects that it names in S3."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from cli.aws.proof.listener import Notification
from cli.aws.proof.samples import SampleTask
from cli.aws.sdk import Aws


@dataclass
class Verdict:
    """Result of one proof: what was sent, the pictures made, and everything that is wrong."""

    name: str
    wrong: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        return not self.wrong

    @property
    def json(self) -> Mapping[str, Any]:
        return {
            "check": self.name,
            "right": self.right,
            "wrong": self.wrong,
            "pictures": self.pictures,
            "seconds": round(self.seconds, 2),
        }


@dataclass(frozen=True)
class ResultChecker:
    """Checks results against the output bucket that the stack names."""

    aws: Aws
    bucket: str

    def faults(
        self, task: SampleTask, answer: Mapping[str, Any], notification: Notification
    ) -> Iterator[str]:
        """Yield each departure from the contract in a task's answer, notification and objects."""
        folder = f"s3://{self.bucket}/{task.prefix}/{task.id}"
        if answer and answer.get("output_location") != folder:
            yield f"output_location is {answer.get('output_location')}, not {folder}"
        if notification.get("status") != "completed" or notification.get("result") is not True:
            yield f"it ended as {notification.get('status')}: {self._reason(notification)}"
            return
        if notification.get("runtime") != task.runtime:
            yield f"runtime is {notification.get('runtime')}, not {task.runtime}"
        if not notification["image_url"]:
            yield "no picture was made"
        for uri in notification["image_url"]:
            yield from self._picture_faults(uri, folder)
        yield from self._output_faults(notification["output_url"], folder)

    def fetch(self, uri: str) -> tuple[str, bytes]:
        """Return content type and bytes of an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        stored = self.aws.client("s3").get_object(Bucket=bucket, Key=key)
        return stored["ContentType"], stored["Body"].read()

    def _picture_faults(self, uri: str, folder: str) -> Iterator[str]:
        if not uri.startswith(f"{folder}/"):
            yield f"{uri} is not in {folder}"
        kind, body = self.fetch(uri)
        if not kind.startswith(("image/", "video/")):
            yield f"{uri} is of type {kind}"
        if kind.startswith("image/"):
            try:
                Image.open(io.BytesIO(body)).load()
            except Exception:  # noqa: BLE001 - decoders raise errors of any kind
                yield f"{uri} is no picture"

    def _output_faults(self, uri: str, folder: str) -> Iterator[str]:
        if not uri.startswith(f"{folder}/"):
            yield f"{uri} is not in {folder}"
        try:
            json.loads(self.fetch(uri)[1])
        except ValueError:
            yield f"{uri} is not JSON"

    def _reason(self, notification: Notification) -> str:
        """Return the error message in a failed task's `.out` object."""
        try:
            out = json.loads(self.fetch(notification["output_url"])[1])
            return str(out.get("parameters", out).get("error_msg") or out)
        except (KeyError, ValueError):
            return "no reason was given"
