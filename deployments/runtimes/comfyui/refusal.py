"""Refusal of a graph by ComfyUI, in words that name the node and the field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.runtimes.comfyui.words import LONGEST_NAME, brief
from models.checkpoints import listed
from models.errors import TaskFailed
from models.runtimes.content import shown

_NOT_IN_LIST = "value_not_in_list"
_MOST_PROBLEMS = 5  # in one message
_MOST_REASONS = 20
_MOST_CHOICES = 100


@dataclass(frozen=True)
class Problem:
    """Problem with one input of one node."""

    node: str
    kind: str
    """Class of the node."""
    field: str
    type: str
    message: str
    details: str
    value: str
    """Value as it is told: short whatever it is."""

    @property
    def wants_choices(self) -> bool:
        """Tell whether the message should list what the field may be."""
        return self.type == _NOT_IN_LIST

    def message_with(self, choices: Sequence[str] | None) -> str:
        """Describe the problem, with what the field may be instead if that is known."""
        where = f"node {self.node} ({self.kind})" + (f", {self.field}" if self.field else "")
        if choices is not None:
            more = (
                f" and {len(choices) - _MOST_CHOICES} more" if len(choices) > _MOST_CHOICES else ""
            )
            available = listed(list(choices[:_MOST_CHOICES])) + more
            return f"{where}: {self.value} is not there; there is: {available}"
        details = "" if self.details in ("", self.field) else f" ({self.details})"
        return f"{where}: {self.message}{details}"

    @property
    def reason(self) -> dict[str, Any]:
        """Describe the problem for the task's failure, without the paths of ComfyUI's source."""
        keys = ("node", "kind", "field", "type", "message", "details")
        return {key: getattr(self, key) for key in keys}


def problems(node_errors: Mapping[str, Any]) -> list[Problem]:
    """List the problems of all nodes."""
    return [
        _problem(node, errors, error)
        for node, errors in node_errors.items()
        for error in errors.get("errors") or ()
    ]


def refused(body: Mapping[str, Any], found: Mapping[Problem, Sequence[str] | None]) -> TaskFailed:
    """Make the failure for a refused graph; ``found`` has what the field of each problem may be."""
    messages = [problem.message_with(choices) for problem, choices in found.items()]
    error = body.get("error")
    general = error if isinstance(error, dict) else {"message": error}
    if not messages:
        messages = [brief(f"{general.get('message')} {general.get('details') or ''}")]
    more = f"; and {len(messages) - _MOST_PROBLEMS} more" if len(messages) > _MOST_PROBLEMS else ""
    return TaskFailed(
        f"ComfyUI refused the graph: {'; '.join(messages[:_MOST_PROBLEMS])}{more}",
        reason={
            "type": general.get("type"),
            "problems": [problem.reason for problem in list(found)[:_MOST_REASONS]],
        },
    )


def _problem(node: str, errors: Mapping[str, Any], error: Mapping[str, Any]) -> Problem:
    extra = error.get("extra_info") or {}
    return Problem(
        node=node[:LONGEST_NAME],
        kind=str(errors.get("class_type"))[:LONGEST_NAME],
        field=str(extra.get("input_name") or "")[:LONGEST_NAME],
        type=str(error.get("type")),
        message=brief(error.get("message")),
        details=brief(error.get("details") or ""),
        value=shown(extra.get("received_value")),
    )
