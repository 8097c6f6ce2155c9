"""What ComfyUI says to a graph that it does not take, in words that name the node and the field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.checkpoints import listed
from models.errors import TaskFailed

_NOT_IN_LIST = "value_not_in_list"
_TOLD = 5  # problems in one message
_LISTED = 100  # choices


@dataclass(frozen=True)
class Problem:
    """One input of one node."""

    node: str
    kind: str
    """The node's class."""
    field: str
    type: str
    message: str
    details: str
    value: str

    @property
    def wants_choices(self) -> bool:
        return self.type == _NOT_IN_LIST

    def told(self, choices: Sequence[str] | None) -> str:
        where = f"node {self.node} ({self.kind})" + (f", {self.field}" if self.field else "")
        if choices is not None:
            more = f" and {len(choices) - _LISTED} more" if len(choices) > _LISTED else ""
            there = listed(list(choices[:_LISTED])) + more
            return f"{where}: {self.value!r} is not there; there is: {there}"
        details = "" if self.details in ("", self.field) else f" ({self.details})"
        return f"{where}: {self.message}{details}"

    @property
    def shown(self) -> dict[str, Any]:
        """For the task's failure; ComfyUI's own has the paths of its source."""
        keys = ("node", "kind", "field", "type", "message", "details")
        return {key: getattr(self, key) for key in keys}


def problems(node_errors: Mapping[str, Any]) -> list[Problem]:
    """Every problem that is told of a node."""
    return [
        _problem(node, told, error)
        for node, told in node_errors.items()
        for error in told.get("errors") or ()
    ]


def refused(body: Mapping[str, Any], found: Mapping[Problem, Sequence[str] | None]) -> TaskFailed:
    """The refusal of a graph; ``found`` holds the problems, each with what its field may be."""
    told = [problem.told(choices) for problem, choices in found.items()]
    error = body.get("error")
    general = error if isinstance(error, dict) else {"message": error}
    if not told:
        told = [f"{general.get('message')} {general.get('details') or ''}".strip()]
    more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return TaskFailed(
        f"ComfyUI refused the graph: {'; '.join(told[:_TOLD])}{more}",
        reason={"type": general.get("type"), "problems": [problem.shown for problem in found]},
    )


def _problem(node: str, told: Mapping[str, Any], error: Mapping[str, Any]) -> Problem:
    extra = error.get("extra_info") or {}
    return Problem(
        node=node,
        kind=str(told.get("class_type")),
        field=str(extra.get("input_name") or ""),
        type=str(error.get("type")),
        message=str(error.get("message")),
        details=str(error.get("details") or ""),
        value=str(extra.get("received_value")),
    )
