"""A report as a row of the ledger's table, and back."""

import json
from collections.abc import Mapping
from typing import Any

from models.report import Failure, Report, Status

Row = Mapping[str, Any]
"""Attributes in DynamoDB's own notation, such as ``{"S": "text"}``."""
Values = dict[str, Any]
"""The same, to be written."""

_LONGEST_MESSAGE = 4_000  # a row may have 400 KB
_LONGEST_REASON = 32_000


def key(id: str, submission: str) -> Values:  # noqa: A002
    return {"id": {"S": id}, "submission": {"S": submission}}


def values(report: Report) -> Values:
    """All of a report but its key; empty parts are left out."""
    row: Values = {
        "runtime": {"S": report.runtime},
        "status": {"S": report.status.value},
        "attempt": number(report.attempt),
        "artifacts": {"L": [{"S": uri} for uri in report.artifacts]},
        "seconds": {"M": {stage: number(taken) for stage, taken in report.seconds.items()}},
        "told": {"BOOL": report.told},
    }
    if report.output is not None:
        row["output"] = {"S": report.output}
    if report.failure is not None:
        row["failure"] = {"S": _failure_text(report.failure)}
    return row


def report_of(row: Row) -> Report:
    return Report(
        submission=row["submission"]["S"],
        id=row["id"]["S"],
        runtime=row["runtime"]["S"],
        status=Status(row["status"]["S"]),
        attempt=int(row["attempt"]["N"]),
        artifacts=tuple(uri["S"] for uri in row["artifacts"]["L"]),
        output=row["output"]["S"] if "output" in row else None,
        failure=Failure(**json.loads(row["failure"]["S"])) if "failure" in row else None,
        seconds={stage: float(taken["N"]) for stage, taken in row["seconds"]["M"].items()},
        told=row["told"]["BOOL"],
    )


def number(value: float) -> Values:
    return {"N": repr(value)}


def _failure_text(failure: Failure) -> str:
    """As JSON, cut where a runtime's answer would not fit into a row."""
    reason = failure.reason
    text = json.dumps(reason)
    if len(text) > _LONGEST_REASON:
        reason = f"{text[:_LONGEST_REASON]}…"
    message = failure.message[:_LONGEST_MESSAGE]
    return json.dumps({"kind": failure.kind, "message": message, "reason": reason})
