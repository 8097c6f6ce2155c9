"""A report as a row of the ledger's table, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import ClientError

from ingest.aws.client import error_code
from models import strict_json
from models.callback import Call, Callback
from models.report import Failure, Report, Status

Row = Mapping[str, Any]
"""Attributes in DynamoDB's own notation, such as ``{"S": "text"}``."""
Values = dict[str, Any]
"""The same, to be written."""

REFUSED = "ConditionalCheckFailedException"

_LONGEST_MESSAGE = 4_000  # a row may have 400 KB
_LONGEST_REASON = 32_000
_LONGEST_ERROR = 500


def key_of(id: str, submission: str) -> Values:  # noqa: A002
    return {"id": {"S": id}, "submission": {"S": submission}}


def values(report: Report) -> Values:
    """What a transition writes; what is None is left out, and so stays as it was."""
    texts = {
        "runtime": report.runtime,
        "status": report.status.value,
        "kind": report.kind,
        "output": report.output,
        "failure": _failure_text(report.failure) if report.failure else None,
        "key": report.key,
        "context": report.context,
        "callback": strict_json.written(asdict(report.callback)) if report.callback else None,
        "replica": report.replica,
        "checkpoint": report.checkpoint,
    }
    return {
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        "attempt": number(report.attempt),
        "artifacts": {"L": [{"S": uri} for uri in report.artifacts]},
        "seconds": {"M": {stage: number(taken) for stage, taken in report.seconds.items()}},
        "told": {"BOOL": report.notified},
    }


def report_of(row: Row) -> Report:
    """One that was cancelled before it was received has little more than its key."""
    texts = {name: value["S"] for name, value in row.items() if "S" in value}
    seconds = row.get("seconds", {"M": {}})["M"]
    return Report(
        submission=texts["submission"],
        id=texts["id"],
        runtime=texts.get("runtime", ""),
        status=Status(texts["status"]),
        kind=texts.get("kind", ""),
        attempt=int(row.get("attempt", number(0))["N"]),
        artifacts=_texts(row, "artifacts"),
        output=texts.get("output"),
        failure=Failure(**json.loads(texts["failure"])) if "failure" in texts else None,
        seconds={stage: float(taken["N"]) for stage, taken in seconds.items()},
        notified=row.get("told", {"BOOL": False})["BOOL"],
        key=texts.get("key"),
        context=texts.get("context"),
        callback=_callback(texts["callback"]) if "callback" in texts else None,
        calls=tuple(Call(**json.loads(call)) for call in _texts(row, "calls")),
        replica=texts.get("replica"),
        checkpoint=texts.get("checkpoint"),
        created=float(row["created"]["N"]),
        updated=float(row["updated"]["N"]),
    )


def call_value(call: Call) -> Values:
    error = call.error and call.error[:_LONGEST_ERROR]
    return {"S": strict_json.written(asdict(replace(call, error=error)))}


def number(value: float) -> Values:
    return {"N": repr(value)}


def standing(error: ClientError) -> Row:
    """The row that a condition refused to change, empty where there is none.

    Raises:
        ClientError: no condition did.
    """
    if error_code(error) != REFUSED:
        raise error
    response: dict[str, Any] = {**error.response}
    row: Row = response.get("Item", {})
    return row


def _texts(row: Row, name: str) -> tuple[str, ...]:
    return tuple(each["S"] for each in row.get(name, {"L": []})["L"])


def _callback(text: str) -> Callback:
    given = json.loads(text)
    return Callback(url=given["url"], events=tuple(given["events"]))


def _failure_text(failure: Failure) -> str:
    """As JSON, cut where a runtime's answer would not fit into a row."""
    reason = failure.reason
    text = strict_json.written(reason)
    if len(text) > _LONGEST_REASON:
        reason = f"{text[:_LONGEST_REASON]}…"
    message = failure.message[:_LONGEST_MESSAGE]
    return strict_json.written({"kind": failure.kind, "message": message, "reason": reason})
