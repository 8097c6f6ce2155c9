"""Rows of the ledger's table, made of reports and read as reports."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import ClientError

from ingest.aws.client import error_code, translated
from models import strict_json
from models.fence import Fence
from models.report import Failure, Report, Status
from models.task import Call, Callback

Row = Mapping[str, Any]
"""Attributes in DynamoDB's own notation, such as ``{"S": "text"}``."""
Values = dict[str, Any]
"""Attributes to be written, in the same notation."""

REFUSED = "ConditionalCheckFailedException"
"""AWS's code for a write whose condition was not met."""
NOTIFIED = "told"
"""Attribute of `Report.notified`; rows under this name are kept for weeks."""
UNCALLED = "uncalled"
"""Attribute of `Report.uncalled`."""

_LONGEST_MESSAGE = 4_000  # characters; DynamoDB takes rows of 400 KB
_LONGEST_REASON = 32_000
_LONGEST_ERROR = 500


def key_of(id: str, submission: str) -> Values:  # noqa: A002
    """Write the table's key of a submission."""
    return {"id": {"S": id}, "submission": {"S": submission}}


def values(report: Report) -> Values:
    """Write a report as the attributes that a transition sets.

    What is None is left out, and so stays as it was.
    """
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
    # Under another name than `ttl`, which people take for the attribute by which rows expire.
    limits = {"longest_wait": report.ttl, "deadline": report.deadline}
    return {
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: number(limit) for name, limit in limits.items() if limit is not None},
        "attempt": number(report.attempt),
        "artifacts": {"L": [{"S": uri} for uri in report.artifacts]},
        "seconds": {"M": {stage: number(taken) for stage, taken in report.seconds.items()}},
        NOTIFIED: {"BOOL": report.notified},
    }


def is_expired(row: Row, now: float) -> bool:
    """Tell whether a row's time is over, which DynamoDB may drop up to two days later.

    Raises:
        Unavailable: it was garbled on its way.
    """
    with translated("DynamoDB row"):
        return float(row["expires"]["N"]) <= now


def report_of(row: Row) -> Report:
    """Read a row as a report; a task that was cancelled before it came has little but its key.

    Raises:
        Unavailable: it was garbled on its way, or written by hand.
    """
    with translated("DynamoDB row"):
        return _report_of(row)


def _report_of(row: Row) -> Report:
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
        notified=_flag(row, NOTIFIED),
        uncalled=_flag(row, UNCALLED),
        key=texts.get("key"),
        context=texts.get("context"),
        callback=_callback(texts["callback"]) if "callback" in texts else None,
        ttl=_number(row, "longest_wait"),
        deadline=_number(row, "deadline"),
        calls=tuple(Call(**json.loads(call)) for call in _texts(row, "calls")),
        replica=texts.get("replica"),
        checkpoint=texts.get("checkpoint"),
        created=float(row.get("created", row["updated"])["N"]),
        updated=float(row["updated"]["N"]),
        fence=fence_of(row),
    )


def fence_values(fence: Fence) -> Values:
    """Write a fence as the attributes that a transition sets."""
    return {"fence": {"S": fence.token}, "fenced": number(fence.until)}


def fence_of(row: Row) -> Fence | None:
    """Read the fence of a row; None if nobody has had the task yet."""
    if "fence" not in row:
        return None
    return Fence(token=row["fence"]["S"], until=float(row["fenced"]["N"]))


def call_value(call: Call) -> Values:
    """Write a callback call as an element of a row's list, its error cut to 500 characters."""
    error = call.error and call.error[:_LONGEST_ERROR]
    return {"S": strict_json.written(asdict(replace(call, error=error)))}


def number(value: float) -> Values:
    """Write a number; ``repr`` keeps all of its digits."""
    return {"N": repr(value)}


def standing(error: ClientError) -> Row:
    """Return the row that did not meet a write's condition, empty if there is none.

    Raises:
        ClientError: this error, if it is another one.
    """
    if error_code(error) != REFUSED:
        raise error
    response: dict[str, Any] = {**error.response}
    row: Row = response.get("Item", {})
    return row


def _texts(row: Row, name: str) -> tuple[str, ...]:
    return tuple(each["S"] for each in row.get(name, {"L": []})["L"])


def _flag(row: Row, name: str) -> bool:
    flag: bool = row.get(name, {"BOOL": False})["BOOL"]
    return flag


def _number(row: Row, name: str) -> float | None:
    return float(row[name]["N"]) if name in row else None


def _callback(text: str) -> Callback:
    given = json.loads(text)
    return Callback(url=given["url"], events=tuple(given["events"]))


def _failure_text(failure: Failure) -> str:
    """Write a failure as JSON, cut where a runtime's answer would not fit into a row."""
    reason = failure.reason
    text = strict_json.written(reason)
    if len(text) > _LONGEST_REASON:
        reason = f"{text[:_LONGEST_REASON]}…"
    message = failure.message[:_LONGEST_MESSAGE]
    return strict_json.written({"kind": failure.kind, "message": message, "reason": reason})
