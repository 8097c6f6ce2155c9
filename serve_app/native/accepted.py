"""Acceptance of a native request: checks it, and makes its task and message; sends nothing."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from models.errors import InvalidTask
from models.native import FieldError, TaskRequest
from models.runtimes import TYPES
from models.runtimes.contents import Contents
from models.task import Callback, Kind, Task
from models.wire import Message, checked, message_of
from serve_app.context import Front
from serve_app.native.problems import MOST_ERRORS, ProblemKind
from serve_app.runtimes import Runtimes


@dataclass(frozen=True, kw_only=True)
class AcceptedTask:
    """Request that was accepted, as the task that it becomes."""

    request: TaskRequest
    runtime: str
    """Canonical name of the runtime."""
    holder: str
    """Name of the API key that the request came with."""
    submission: str
    """Identity under which the task will be published; its id, too, if the client named none."""

    @property
    def digest(self) -> str:
        """SHA-256 of the request in hex; the same however the request's JSON was written."""
        asked = self.request.model_dump(mode="json")
        # As requests were before these fields: a claim may be older than they are.
        for name in ("ttl", "deadline"):
            if asked[name] is None:
                del asked[name]
        canonical = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def message(self) -> Message:
        """Message with the prefix and the events as they were asked for."""
        return message_of(self._asked)

    @cached_property
    def task(self) -> Task:
        """Task as its runtime will read it from the message.

        Raises:
            InvalidTask: its artifacts could not be stored, or its context is too large.
        """
        return checked(self._asked)

    def under(self, submission: str) -> "AcceptedTask":
        """Return the same task under another submission."""
        return self if submission == self.submission else replace(self, submission=submission)

    @property
    def _asked(self) -> Task:
        request = self.request
        callback = request.callback
        return Task(
            submission=self.submission,
            id=request.id or self.submission,
            runtime=self.runtime,
            kind=request.kind.value,
            prefix=request.prefix,
            content=request.content,
            context=request.context,
            callback=Callback(url=callback.url, events=callback.events) if callback else None,
            ttl=request.ttl,
            deadline=request.deadline,
        )


def accept(request: TaskRequest, holder: str, front: Front) -> AcceptedTask:
    """Check a request against what is configured, and give it a submission.

    Raises:
        Problem: it cannot be accepted.
    """
    if request.callback and not front.signs_callbacks(holder):
        raise ProblemKind.UNSIGNED_CALLBACK.at(
            "callback",
            "leave it out, or have the operator set callbacks.secret: nothing signs calls now",
        )
    accepted = AcceptedTask(
        request=request,
        runtime=_runtime(request, front.runtimes),
        holder=holder,
        submission=front.submit.mint(),
    )
    _check(accepted, front.max_payload_bytes)
    _judge(accepted, front.contents)
    return accepted


def _runtime(request: TaskRequest, runtimes: Runtimes) -> str:
    """Find the name of the runtime that is asked for, or of the first that can do the kind."""
    able = runtimes.able(request.kind)
    if request.runtime is None:
        return able[0] if able else _unsupported("kind", request.kind, able)
    if (name := request.runtime.lower()) not in runtimes.names:
        known = ", ".join(f"{each.name} ({each.type})" for each in runtimes.configured)
        types = " or ".join(_types(request.kind))
        raise ProblemKind.UNKNOWN_RUNTIME.at(
            "runtime", f"must be one of {known}; {request.kind.value} needs the type {types}"
        )
    return name if name in able else _unsupported("runtime", request.kind, able)


def _unsupported(field: str, kind: Kind, able: Sequence[str]) -> str:
    none = f"can be done by no runtime here: it needs the type {' or '.join(_types(kind))}"
    can = f"can be done by {', '.join(able)}" if able else none
    raise ProblemKind.UNSUPPORTED_KIND.at(field, f"{kind.value} {can}")


def _types(kind: Kind) -> list[str]:
    """Name the runtime types that do a kind of task, without the simulated one, which does all."""
    return [name for name, type_ in TYPES.items() if kind in type_.kinds and name != "fake"]


def _check(accepted: AcceptedTask, limit: int) -> None:
    if len(accepted.message.text) > limit:
        raise ProblemKind.TOO_LARGE.problem(
            f"A task has at most {limit} bytes of JSON; pass pictures as links instead."
        )
    try:
        _ = accepted.task
    except InvalidTask as exc:
        field = "context" if str(exc).startswith("metadata.context") else "prefix"
        raise ProblemKind.INVALID.at(field, str(exc).replace("metadata.", "")) from None


def _judge(accepted: AcceptedTask, contents: Contents) -> None:
    """Refuse a content that the runtime would refuse, before it is published."""
    request = accepted.request
    faults = contents.faults(accepted.runtime, request.kind, request.content)
    if faults:
        wrong = [
            FieldError(field=".".join(filter(None, ("content", each.field))), message=each.message)
            for each in faults[:MOST_ERRORS]
        ]
        raise ProblemKind.INVALID.problem(
            "Correct what `errors` names; "
            f"/v1/runtimes/{accepted.runtime}/schema describes what this runtime takes.",
            wrong,
        )
