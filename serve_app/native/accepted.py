"""A task as the native API asks for it, and the message that it becomes; pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from models.errors import InvalidTask
from models.native import FieldError, TaskRequest
from models.runtimes import TYPES
from models.runtimes.contents import Contents
from models.settings import Settings
from models.task import Kind, Task
from models.wire import Message, task_of
from serve_app.context import Front
from serve_app.dialects.rules import Kinds
from serve_app.native.problems import MOST_TOLD, ProblemKind


@dataclass(frozen=True, kw_only=True)
class AcceptedTask:
    """A request that will be accepted."""

    request: TaskRequest
    runtime: str
    holder: str
    """Name of the API key it came with."""

    @property
    def digest(self) -> str:
        """The same for the same request, however its JSON was written."""
        canonical = json.dumps(self.request.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def message(self, submission: str) -> Message:
        request = self.request
        metadata: dict[str, Any] = {
            "id": request.id or submission,
            "runtime": self.runtime,
            "tasktype": request.kind.value,
            "prefix": request.prefix,
            "context": request.context,
        }
        if request.callback:
            metadata["callback"] = request.callback.model_dump(mode="json")
        body = {"metadata": metadata, "content": request.content}
        return Message(body=body, attributes={"runtime": self.runtime})

    def task(self, submission: str) -> Task:
        """The task that the runtime will find in the message."""
        body = self.message(submission).body
        return task_of(body, runtime=self.runtime, submission=submission)


def ordered(request: TaskRequest, holder: str, front: Front) -> AcceptedTask:
    """The request, checked against what is configured.

    Raises:
        Problem: it cannot be accepted.
    """
    if request.callback and not front.signs(holder):
        raise ProblemKind.UNSIGNED_CALLBACK.at(
            "callback",
            "leave it out, or have the operator set callbacks.secret: nothing signs calls now",
        )
    runtime = _runtime(request, front.settings, front.kinds)
    order = AcceptedTask(request=request, runtime=runtime, holder=holder)
    _check(order, front.settings.tasks.max_payload_bytes)
    _judge(order, front.contents)
    return order


def _runtime(request: TaskRequest, settings: Settings, kinds: Kinds) -> str:
    """Name of the runtime that is asked for, or of the first that can do it."""
    configured = [runtime.name for runtime in settings.models_runtime]
    able = [name for name in configured if request.kind in kinds(name)]
    if request.runtime is None:
        return able[0] if able else _unsupported("kind", request.kind, able)
    if (name := request.runtime.lower()) not in configured:
        known = ", ".join(f"{each.name} ({each.type})" for each in settings.models_runtime)
        types = " or ".join(_types(request.kind))
        raise ProblemKind.UNKNOWN_RUNTIME.at(
            "runtime", f"must be one of {known}; {request.kind.value} needs the type {types}"
        )
    return name if name in able else _unsupported("runtime", request.kind, able)


def _unsupported(field: str, kind: Kind, able: list[str]) -> str:
    none = f"can be done by no runtime here: it needs the type {' or '.join(_types(kind))}"
    can = f"can be done by {', '.join(able)}" if able else none
    raise ProblemKind.UNSUPPORTED_KIND.at(field, f"{kind.value} {can}")


def _types(kind: Kind) -> list[str]:
    """The runtime types that do a kind of task; the simulated one does all and is not meant."""
    return [name for name, type_ in TYPES.items() if kind in type_.kinds and name != "fake"]


def _check(order: AcceptedTask, limit: int) -> None:
    longest = "0" * 32  # a submission, which is its id where it has no other
    if len(order.message(longest).text) > limit:
        raise ProblemKind.TOO_LARGE.problem(
            f"A task has at most {limit} bytes of JSON; pass pictures as links instead."
        )
    try:
        order.task(longest)
    except InvalidTask as exc:
        raise ProblemKind.INVALID.at("prefix", str(exc).replace("metadata.", "")) from None


def _judge(order: AcceptedTask, contents: Contents) -> None:
    """Refuse a content that the runtime would refuse, before it is published."""
    request = order.request
    faults = contents.faults(order.runtime, request.kind, request.content)
    if faults:
        wrong = [
            FieldError(field=".".join(filter(None, ("content", each.field))), message=each.message)
            for each in faults[:MOST_TOLD]
        ]
        raise ProblemKind.INVALID.problem(
            "Correct what `errors` names; "
            f"/v1/runtimes/{order.runtime}/schema describes what this runtime takes.",
            wrong,
        )
