"""Wire form of a report on the results topic, and the ``.out`` of a failed task."""

from typing import Any

from models.report import Report, Status
from models.task import Task


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
