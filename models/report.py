"""Report: what is known of a task now; and the stages and progress of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from models import strict_json
from models.errors import TaskError
from models.fence import Fence
from models.task import ENDS, Call, Callback, Task


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """Stage of a run, in the words that people are told.

    A run has begun with its first `RUNNING`: until then the task waits for the GPU. `WAITING` says
    that another task has it.
    """

    WAITING = "waiting for a GPU"
    LOADING = "loading a checkpoint"
    RUNNING = "running"


_LONGEST_CONTEXT = 4_096  # bytes of JSON; a ledger's row is written again at every transition

ENDED = frozenset(map(Status, ENDS))


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Reason why a task failed."""

    kind: str
    """Name of the error's class, such as ``TaskFailed``."""
    message: str
    reason: Any = None
    """Answer of the runtime, any JSON."""

    @classmethod
    def of(cls, error: TaskError) -> "Failure":
        reason = getattr(error, "reason", None)
        return cls(kind=_cause(error), message=str(error), reason=reason)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Report on one submission."""

    submission: str
    id: str
    runtime: str
    status: Status
    kind: str = ""
    attempt: int = 0
    """Number of times that the task was started: that it had a GPU. A start that was given up for
    another reason than its runtime's absence is not counted."""
    artifacts: tuple[str, ...] = ()
    """``s3://`` URIs in the order of generation."""
    output: str | None = None
    """``s3://`` URI of the task's ``.out``."""
    failure: Failure | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each stage, by a monotonic clock: ``inputs``, ``wait``, ``load``, ``run``,
    ``store``."""
    notified: bool = False
    """Flag: the notification of this report was published."""
    uncalled: bool = field(default=False, compare=False)
    """Flag: it was, but the call of the callback is still to be asked for."""
    key: str | None = None
    """Name of the API key that the task belongs to; None: it came by SNS and is an operator's."""
    context: str | None = None
    """Context of the client as JSON text; None where it is too long to be kept."""
    callback: Callback | None = None
    ttl: float | None = None
    """Longest wait of the task until it begins, in seconds."""
    deadline: float | None = None
    """Moment after which the task is not wanted any more, in seconds since 1970."""
    calls: tuple[Call, ...] = field(default=(), compare=False)
    """Calls made to the callback, oldest first."""
    replica: str | None = field(default=None, compare=False)
    """Name of the replica that ran the task."""
    checkpoint: str | None = None
    """Name of the checkpoint that the replica ran the task with."""
    created: float = field(default=0, compare=False)
    """Moment the submission was first known, in seconds since 1970; the ledger sets it, as
    ``updated``."""
    updated: float = field(default=0, compare=False)
    fence: Fence | None = field(default=None, compare=False)
    """Fence of who has the task, or told of its end."""

    @classmethod
    def of(cls, task: Task, status: Status, attempt: int = 0) -> "Report":
        return cls(
            submission=task.submission,
            id=task.id,
            runtime=task.runtime,
            kind=task.kind,
            status=status,
            attempt=attempt,
            key=task.owner,
            context=_kept(task.context),
            callback=task.callback,
            ttl=task.ttl,
            deadline=task.deadline,
        )

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def is_of(self, fence: Fence) -> bool:
        """Tell whether the last who had the task, or ended it, is the one with this fence."""
        return self.fence is not None and self.fence.token == fence.token

    def is_fenced(self, now: float) -> bool:
        """Tell whether somebody has the task, or tells of its end, at this time."""
        return self.fence is not None and now < self.fence.until

    def as_read(self, now: float) -> "Report":
        """Return the report as it is told at this time: queued again if nobody has it any more.

        Who had it was killed: its delivery comes back when its lease has lapsed, as the fence has.
        """
        is_silent = self.status is Status.RUNNING and not self.is_fenced(now)
        return replace(self, status=Status.QUEUED) if is_silent else self

    def completed(
        self, artifacts: tuple[str, ...], output: str, seconds: Mapping[str, float]
    ) -> "Report":
        return replace(
            self, status=Status.COMPLETED, artifacts=artifacts, output=output, seconds=seconds
        )

    def failed(self, error: TaskError, output: str | None = None) -> "Report":
        return replace(self, status=Status.FAILED, failure=Failure.of(error), output=output)

    def cancelled(self) -> "Report":
        return replace(self, status=Status.CANCELLED)

    def log_context(self) -> Mapping[str, Any]:
        return {
            "task": self.id,
            "submission": self.submission,
            "runtime": self.runtime,
            "status": self.status.value,
            "attempt": self.attempt,
        }


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress: step ``step`` of ``of`` is done."""

    step: int
    of: int
    preview: bytes | None = None
    """Small picture of the state so far (PNG or JPEG), where the runtime gives one."""


def _kept(context: Any) -> str | None:
    text = strict_json.written(context)
    # The text is escaped to ASCII, so its characters are bytes.
    return text if len(text) <= _LONGEST_CONTEXT else None


def _cause(error: TaskError) -> str:
    # Ray hands an error back as a subclass made up on the fly; its plain name is ours.
    named = next(c for c in type(error).__mro__ if c.__module__ == TaskError.__module__)
    return named.__name__
