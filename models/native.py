"""Requests and resources of the native API, ``/v1``, for its server and its client."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)

from models import name_patterns
from models.moment import MOMENT_SCHEMA, read_moment
from models.report import Status
from models.task import ENDS, LONGEST_TTL, CallbackEvent, Kind


@dataclass(frozen=True)
class _Form:
    """Form of a string; one that does not match is told what is wanted, not the pattern."""

    pattern: str
    most: int
    wanted: str

    def check(self, given: str) -> str:
        # The length first, so no pattern meets a long text. `$` would let a line's end pass.
        if len(given) > self.most or not re.fullmatch(self.pattern, given):
            raise ValueError(self.wanted)
        return given

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self.check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, _: Any, __: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", "maxLength": self.most}


# Without a dot in front there is neither ".." nor a hidden folder; slashes are collapsed later.
_SEGMENT = r"[^/.\x00-\x1f][^/\x00-\x1f]*"

Identifier = Annotated[
    str, _Form("[A-Za-z0-9_-]{1,200}", 200, "must be 1 to 200 of A-Z, a-z, 0-9, '-' and '_'")
]
RuntimeName = Annotated[
    str,
    _Form(
        name_patterns.RUNTIME,
        name_patterns.LONGEST_RUNTIME,
        "must be the name of a configured runtime",
    ),
]
Prefix = Annotated[
    str,
    _Form(
        f"/*{_SEGMENT}(/+{_SEGMENT})*/*",
        512,
        "must be folders with '/' between, none of which starts with '.'",
    ),
]
Moment = Annotated[float, BeforeValidator(read_moment), WithJsonSchema(MOMENT_SCHEMA)]
# Visible ASCII alone; right behind the slashes anything but a third one.
WebUrl = Annotated[str, _Form("https?://[!-.0-~][!-~]*", 2048, "must be an http or https URL")]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class CallbackRequest(_Words):
    """URL to call, by a signed POST, when the task reaches one of the events."""

    model_config = ConfigDict(extra="forbid")

    url: WebUrl
    events: Annotated[tuple[CallbackEvent, ...], Field(min_length=1)] = ENDS


class TaskRequest(_Words):
    """Task to be done."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    content: Any
    """Request of the runtime: for a picture the fields of the SD Web UI, for ``pipeline`` a ComfyUI
    graph in API format."""
    runtime: RuntimeName | None = None
    """Name of a configured runtime, in any case; the first that can do the kind if left out."""
    id: Identifier | None = None
    """Your name for the task, which may be used again; made for you if left out."""
    prefix: Prefix = "tasks"
    """Folder in the output bucket; none of its segments starts with a dot."""
    context: Any = Field(default_factory=dict)
    """JSON of yours, echoed in the notification."""
    callback: CallbackRequest | None = None
    ttl: Annotated[float, Field(gt=0, le=LONGEST_TTL, strict=True)] | None = None
    """Seconds that it may wait until it begins; then it fails as ``TaskExpired``, undrawn."""
    deadline: Moment | None = None
    """Moment after which it is not wanted any more, RFC 3339 or in seconds since 1970; then it is
    stopped, if it runs, and fails as ``TaskExpired``."""


class ProgressView(_Words):
    step: int
    of: int


class ArtifactView(_Words):
    """Picture or other output of a task."""

    n: int
    """Place of the artifact among the task's, from 1."""
    uri: str
    """URI in S3: ``s3://bucket/key``."""
    url: str
    """URL by which anyone can get the artifact, for an hour at most."""


class ErrorView(_Words):
    kind: str
    """Class of the failure: ``TaskFailed``, ``InputRefused``, ``TaskExpired``,
    ``RuntimeUnavailable`` …"""
    message: str
    reason: Any = None
    """Answer of the runtime, any JSON."""


class CallView(_Words):
    """Call made to the callback."""

    event: str
    at: float
    status: int | None
    error: str | None


class CallbackView(_Words):
    url: str
    events: tuple[str, ...]
    calls: tuple[CallView, ...]


class TaskView(_Words):
    """Report of a task as it is now."""

    id: str
    submission: str
    """Identity of this sending; the same id may be sent again."""
    runtime: str
    """Name of the runtime; empty if the task was cancelled before it was received."""
    kind: str
    status: Status
    attempt: int
    """Number of times that the task was started."""
    position: int | None = None
    """Tasks queued before this one, while it is queued; null where that is not known."""
    eta_seconds: float | None = None
    """Seconds until a queued task ends, about; null where that is not known."""
    phase: str | None = None
    """Phase in words: ``waiting for a replica``, ``waiting for a node``, ``starting a replica``,
    ``3rd in the queue``, ``loading a checkpoint``, ``running``; null after the end, and where
    it is not known."""
    why: str | None = None
    """Reason why a queued task takes long, in words; null where nothing is in its way."""
    progress: ProgressView | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    """Seconds that each stage took: ``inputs``, ``wait``, ``load``, ``run``, ``store``."""
    checkpoint: str | None = None
    artifacts: tuple[ArtifactView, ...] = ()
    output: ArtifactView | None = None
    """Whole answer of the runtime as JSON (``n`` is 0)."""
    error: ErrorView | None = None
    key: str | None = None
    """Name of the API key that the task was sent with; null for one that came by SNS."""
    context: Any = None
    callback: CallbackView | None = None
    ttl: float | None = None
    """Seconds that the task may wait until it begins; null if any."""
    deadline: float | None = None
    """Moment after which the task is not wanted any more, in seconds since 1970; null if there is
    none."""
    created: float
    """Moment of the submission, in seconds since 1970, as ``updated``."""
    updated: float
    status_url: str
    events_url: str


class TaskList(_Words):
    """Page of tasks, the newest first."""

    tasks: tuple[TaskView, ...]
    next: str | None = None
    """``cursor`` of the next page; null at the end. A page may be short and have a next one."""


class RuntimeView(_Words):
    """Configured runtime and how it is doing."""

    name: str
    type: str
    kinds: tuple[Kind, ...]
    checkpoint: str | None = None
    """Checkpoint that the runtime loads first, by its configuration."""
    dynamic: bool = False
    """Flag: a task may ask for another checkpoint."""
    loaded: tuple[str, ...] = ()
    """Checkpoints that its replicas ran with last."""
    replicas: int
    """Replicas that run now; where ``wanted`` is null that is not known, and this is the fewest
    that there are by the configuration."""
    wanted: int | None = None
    """Replicas that the scaling policy wants now; null where ingest is not connected, as all that
    follows but the bounds."""
    starting: int | None = None
    """Replicas that are wanted and do not run yet."""
    min_replicas: int | None = None
    """Fewest replicas by the configuration."""
    max_replicas: int | None = None
    """Most replicas by the configuration."""
    reason: str | None = None
    """Reason for the number that is wanted, in words."""
    obstacle: str | None = None
    """Reason why a start takes long, in words; null where nothing is in its way."""
    never_started: bool | None = None
    """Flag: replicas were wanted, and none has run yet."""
    backlog: int | None = None
    """Tasks that wait in the runtime's queue, about; null where that is not known."""
    leased: int | None = None
    """Tasks that ingest has received and not ended."""
    running: int | None = None
    """Tasks that have a GPU."""
    seconds_per_task: float | None = None


class RuntimeList(_Words):
    runtimes: tuple[RuntimeView, ...]


class SchemaView(_Words):
    """Content that a runtime takes in its tasks."""

    runtime: str
    type: str
    content: dict[Kind, dict[str, Any]]
    """JSON Schema of the content for each kind of task; an empty one accepts any content."""


class CheckpointView(_Words):
    name: str
    runtimes: tuple[str, ...]
    """Names of the runtimes that can load the checkpoint."""


class CheckpointList(_Words):
    checkpoints: tuple[CheckpointView, ...]


class StatusEvent(_Words):
    """``event: status``: the task is queued (with a position, where known) or running."""

    status: Status
    attempt: int
    position: int | None = None
    eta_seconds: float | None = None
    phase: str | None = None
    why: str | None = None


class PreviewEvent(_Words):
    """``event: preview``: a small picture of the state so far."""

    content_type: str
    data: str
    """Picture in base64."""


class FieldError(_Words):
    field: str
    """JSON path, such as ``callback.url``."""
    message: str


class ProblemView(_Words):
    """Error in the form of RFC 9457."""

    type: str
    """Stable name of the sort of problem: ``urn:atelier:`` and one word."""
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    """Wrong fields of the request, each with what is wrong."""
