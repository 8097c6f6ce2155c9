"""Observation of a platform at the end of a run, past the fault proxy, for the audit."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from bench.chaos.audit import Observed
from bench.chaos.json_lines import json_lines
from bench.chaos.plan import PREFIX, Plan
from bench.chaos.stalls import GpuWork
from bench.chaos.story import Story
from deployments.runtimes.fake import Picture
from ingest.aws.row import Row, report_of
from models.names import Names
from models.report import Report, Status
from samples.local import LocalPlatform

_SIDE = 64
"""Pixels of a picture's side, by the runtime's defaults."""
_READERS = 4
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_QUIET_LOOKS = 3
_LOOK_SECONDS = 1.0
_NO_MESSAGES = 5
"""Polls in a row without a message, after which a queue is taken for empty."""


class Observer:
    """Reader of what a platform has left in AWS."""

    def __init__(self, client: LocalPlatform, names: Names, runtimes: Sequence[str]) -> None:
        self._client = client
        self._names = names
        self._runtimes = runtimes
        self._dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=client.address["aws_endpoint"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until the queues were seen empty three times, for so many seconds at most."""
        end, quiet = time.monotonic() + seconds, 0
        while quiet < _QUIET_LOOKS and time.monotonic() < end:
            quiet = 0 if any(self.left().values()) else quiet + 1
            time.sleep(_LOOK_SECONDS)

    def left(self) -> Mapping[str, int]:
        """Count the messages in the queues of tasks and callback calls, leased ones as well."""
        names = [self._names.queue(runtime) for runtime in self._runtimes]
        return {name: self._count(name) for name in (*names, self._names.callback_calls)}

    def observe(
        self,
        stories: Sequence[Story],
        work: Sequence[GpuWork],
        *,
        notifications: Mapping[str, Sequence[Mapping[str, Any]]],
        calls: Mapping[str, Sequence[Mapping[str, Any]]],
        kills: Sequence[float],
        log: Path,
    ) -> Observed:
        """Read all that the audit looks at; ``log``: the platform's own."""
        rows = self._rows()
        objects = frozenset(self._objects())
        plans = {story.plan.id: story.plan for story in stories}
        return Observed(
            rows=rows,
            notifications=notifications,
            calls=calls,
            dead_letters=self._dead_letters(),
            objects=objects,
            unreadable=frozenset(self._unreadable(rows, plans)),
            said_left=self._said_left(log),
            left=self.left(),
            starts=Counter(each.task for each in work),
            kills=kills,
        )

    def _said_left(self, log: Path) -> frozenset[str]:
        """Read from a log where the objects lie that the platform could not remove."""
        left = (line for line in json_lines(log) if line.get("message") == "artifacts_left")
        stems = (line["stem"] for line in left)
        return frozenset(f"s3://{self._names.output_bucket}/{stem}" for stem in stems)

    def _rows(self) -> Mapping[str, Sequence[Report]]:
        found = defaultdict(list)
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self._names.ledger, ConsistentRead=True
        )
        for page in pages:
            for row in page["Items"]:
                # Else it is a claim of an idempotency key.
                if "status" in row and not _is_forgotten(row):
                    found[row["id"]["S"]].append(report_of(row))
        return found

    def _objects(self) -> Iterator[str]:
        bucket = self._names.output_bucket
        pages = self._client.s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{PREFIX}/"
        )
        for page in pages:
            yield from (f"s3://{bucket}/{one['Key']}" for one in page.get("Contents", []))

    def _unreadable(
        self, rows: Mapping[str, Sequence[Report]], plans: Mapping[str, Plan]
    ) -> Iterator[str]:
        """Yield the URIs of completed tasks that do not hold what the task names."""
        completed = [
            row for each in rows.values() for row in each if row.status is Status.COMPLETED
        ]
        with ThreadPoolExecutor(_READERS) as pool:
            for wrong in pool.map(lambda row: list(self._wrong(row, plans.get(row.id))), completed):
                yield from wrong

    def _wrong(self, row: Report, plan: Plan | None) -> Iterator[str]:
        for uri in row.artifacts:
            if plan is None or self._read(uri) != _picture(plan):
                yield uri
        if row.output is not None:
            try:
                answer = json.loads(self._read(row.output) or b"")
            except ValueError:
                answer = {}
            if tuple(answer.get("images", ())) != row.artifacts:
                yield row.output

    def _read(self, uri: str) -> bytes | None:
        try:
            return self._client.fetch(uri)
        except ClientError:
            return None

    def _dead_letters(self) -> Sequence[str]:
        names = [self._names.dead_letters(runtime) for runtime in self._runtimes]
        names.append(self._names.unrouted)
        return [body for name in names for body in self._messages(name)]

    def _messages(self, queue: str) -> Iterator[str]:
        """Take all messages from a queue."""
        url, empty = self._url(queue), 0
        while empty < _NO_MESSAGES:
            got = self._client.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            messages = got.get("Messages", [])
            empty = 0 if messages else empty + 1
            for message in messages:
                yield message["Body"]
                self._client.sqs.delete_message(
                    QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
                )

    def _count(self, queue: str) -> int:
        got = self._client.sqs.get_queue_attributes(
            QueueUrl=self._url(queue), AttributeNames=list(_COUNTS)
        )
        return sum(int(got["Attributes"][name]) for name in _COUNTS)

    def _url(self, queue: str) -> str:
        url: str = self._client.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return url


def _is_forgotten(row: Row) -> bool:
    """Tell whether a front was killed before it had published the task: then its row lapses."""
    return row["status"]["S"] == Status.QUEUED and "created" not in row


def _picture(plan: Plan) -> bytes:
    """Draw the picture that a plan's task names."""
    picture = Picture(prompt=plan.content["prompt"], seed=plan.content["seed"])
    return picture.draw(_SIDE, _SIDE)
