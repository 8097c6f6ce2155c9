"""Wire form of a report on the results topic, and the ``.out`` of a failed task."""

from collections.abc import Mapping
from typing import Any

from models import strict_json
from models.report import Report, Status
from models.task import Task

LONGEST = 224 * 1024
"""Most bytes of a notification. SNS takes 256 KiB; a callback's request adds its URL and names."""

_LEFT_OUT: tuple[Mapping[str, Any], ...] = ({"context": {}}, {"image_url": []})
"""Field that is left out of what is longer, with what stands there instead. The second does where
the first does not, as a task's context is shorter than a notification may be."""


def notification(report: Report, context: Any) -> dict[str, Any]:
    """Write the JSON object that subscribers of the results topic receive (contract 1.9)."""
    identity = {"runtime": report.runtime, "id": report.id, "status": report.status.value}
    echo = {"context": context, "submission": report.submission}
    if not report.ended:  # the optional start event has no result yet
        return identity | echo
    outcome = {
        "result": report.status is Status.COMPLETED,
        "image_url": list(report.artifacts),
        "output_url": report.output,
    }
    return identity | outcome | echo


def shortened(whole: Mapping[str, Any], uri: str) -> Mapping[str, Any]:
    """Leave out what makes a notification too long for a message; name it, and the whole's URI.

    It stays an object with the same fields: subscribers read ``status`` and ``output_url`` as ever.
    """
    for instead in _LEFT_OUT:
        short = {**whole, **instead, "left_out": list(instead), "notification_url": uri}
        if len(strict_json.written(short)) <= LONGEST:
            break
    return short


def failure_output(task: Task, report: Report) -> dict[str, Any]:
    """Write the ``.out`` of a failed task, in the shape of the Web UI's answer (contract 1.8)."""
    failure = report.failure
    parameters = {
        "id_task": task.id,
        "status": 0,
        "error_msg": failure.message if failure else report.status.value,
        "error": failure.kind if failure else report.status.value,
        "reason": failure.reason if failure else None,
    }
    return {"images": [""], "parameters": parameters, "info": ""}
