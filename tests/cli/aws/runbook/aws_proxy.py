"""Calls of AWS that the emulator lacks, answered as AWS documents them; others go on to it."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.cli.aws.platform import client
from tests.cli.loopback import serving

Answer = tuple[int, Mapping[str, Any]]
Call = Callable[[Mapping[str, Any]], Answer]
ADDON_VERSION = "v1.36.2-eksbuild.1"
_MOST = 10  # messages of one receive
_DROPPED = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}


@dataclass
class MessageMoves:
    """Move tasks of SQS: API reference of StartMessageMoveTask, and its page of troubles, 2026-11.

    The source must be the dead letters of another queue of SQS. Without a destination each message
    goes back to the queue that SQS moved it from; one that was sent there has none.
    """

    tasks: list[dict[str, Any]] = field(default_factory=list)

    def start(self, asked: Mapping[str, Any]) -> Answer:
        """Answer StartMessageMoveTask; the messages have moved when it does."""
        source = asked["SourceArn"]
        if source not in _of_dead_letters():
            return _refusal("Source queue must be configured as a Dead Letter Queue.")
        task = {"SourceArn": source, "Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 0}
        task |= {key: value for key, value in asked.items() if key == "DestinationArn"}
        self.tasks.insert(0, task)
        self._move(task)
        return 200, {"TaskHandle": f"task-{len(self.tasks)}"}

    def list(self, asked: Mapping[str, Any]) -> Answer:
        """Answer ListMessageMoveTasks: the newest of a source, or more."""
        found = [task for task in self.tasks if task["SourceArn"] == asked["SourceArn"]]
        return 200, {"Results": found[: asked.get("MaxResults", 1)]}

    def cancel(self, _: Mapping[str, Any]) -> Answer:
        """Answer CancelMessageMoveTask: here every task has ended before it can be cancelled."""
        return 200, {"ApproximateNumberOfMessagesMoved": 0}

    def _move(self, task: dict[str, Any]) -> None:
        for message in [
            *_visible(task["SourceArn"])
        ]:  # listed first: a moved message may return here
            to = task.get("DestinationArn") or message["Attributes"].get("DeadLetterQueueSourceArn")
            if to is None:
                task |= {"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}
                return
            _send_on(message, task["SourceArn"], to)
            task["ApproximateNumberOfMessagesMoved"] += 1


def supported_addons(_: Mapping[str, Any]) -> Answer:
    """Answer EKS's DescribeAddonVersions, in the form of its API reference."""
    version = {"addonVersion": ADDON_VERSION, "compatibilities": [{"defaultVersion": True}]}
    return 200, {"addons": [{"addonName": "kube-proxy", "addonVersions": [version]}]}


@contextmanager
def proxied(endpoint: str) -> Iterator[str]:
    """Serve in front of the emulator at this endpoint; yield the URL."""
    moves = MessageMoves()
    calls = {
        "AmazonSQS.StartMessageMoveTask": moves.start,
        "AmazonSQS.ListMessageMoveTasks": moves.list,
        "AmazonSQS.CancelMessageMoveTask": moves.cancel,
        "/addons/supported-versions": supported_addons,
    }
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint, calls))) as url:
        yield url


def _visible(arn: str) -> Iterator[Mapping[str, Any]]:
    """Receive everything that can be received."""
    while (
        got := client("sqs")
        .receive_message(
            QueueUrl=_url(arn),
            MaxNumberOfMessages=_MOST,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        .get("Messages")
    ):
        yield from got


def _send_on(message: Mapping[str, Any], source: str, to: str) -> None:
    """Keep body and attributes; SQS gives a new id."""
    attributes = {
        name: {key: value for key, value in one.items() if key in {"DataType", "StringValue"}}
        for name, one in message.get("MessageAttributes", {}).items()
    }
    client("sqs").send_message(
        QueueUrl=_url(to), MessageBody=message["Body"], MessageAttributes=attributes
    )
    client("sqs").delete_message(QueueUrl=_url(source), ReceiptHandle=message["ReceiptHandle"])


def _of_dead_letters() -> set[str]:
    """Return the queues that others name in their redrive policy."""
    found = set()
    for url in client("sqs").list_queues().get("QueueUrls", []):
        wanted = {"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]}
        known = client("sqs").get_queue_attributes(**wanted).get("Attributes", {})
        if "RedrivePolicy" in known:
            found.add(json.loads(known["RedrivePolicy"])["deadLetterTargetArn"])
    return found


def _url(arn: str) -> str:
    return str(client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"])


def _refusal(message: str) -> Answer:
    return 400, {"__type": "com.amazonaws.sqs#InvalidParameterValue", "message": message}


def _handler(endpoint: str, calls: Mapping[str, Call]) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            call = calls.get(self.headers.get("x-amz-target", path))
            if call is None:
                self._pass_on(body)
            else:
                code, said = call(json.loads(body or b"{}"))
                self._say(code, json.dumps(said).encode(), {"Content-Type": "application/json"})

        do_GET = do_POST  # noqa: N815 - the library's own names

        def _pass_on(self, body: bytes) -> None:
            there = http.client.HTTPConnection(urlsplit(endpoint).netloc)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _DROPPED}
            self._say(answer.status, answer.read(), kept)
            there.close()

        def _say(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
            pass

    return Handler
