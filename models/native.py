"""The words of the native API, ``/v1``: requests and resources, for its server and its client."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)

from models import name_patterns
from models.report import Status
from models.task import ENDS, CallbackEvent, Kind


@dataclass(frozen=True)
class _Form:
    """A string that matches is right; else what is wanted is told, not the pattern."""

    pattern: str
    most: int
    wanted: str

    def check(self, given: str) -> str:
        if len(given) > self.most or not re.fullmatch(self.pattern, given):
            raise ValueError(self.wanted)
        return given

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return AfterValidator(self.check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, _: Any, __: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", "maxLength": self.most}


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
WebUrl = Annotated[str, _Form("https?://[!-.0-~][!-~]*", 2048, "must be an http or https URL")]


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class CallbackRequest(_Words):
    """Where to tell, by a signed POST, what becomes of the task."""

    model_config = ConfigDict(extra="forbid")

    url: WebUrl
    events: Annotated[tuple[CallbackEvent, ...], Field(min_length=1)] = ENDS


class TaskRequest(_Words):
    """A task to be done."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    content: Any
    """The runtime's own request: for a picture the fields of the SD Web UI, for ``pipeline`` a
    ComfyUI graph in API format."""
    runtime: RuntimeName | None = None
    """Name of a configured runtime, in any case; the first that can do the kind if left out."""
    id: Identifier | None = None
    """Your name for it, which may be used again; made for you if left out."""
    prefix: Prefix = "tasks"
    """Folder in the output bucket; none of its segments starts with a dot."""
    context: Any = Field(default_factory=dict)
    """Any JSON of yours, echoed in the notification."""
    callback: CallbackRequest | None = None


class ProgressView(_Words):
    step: int
    of: int


class ArtifactView(_Words):
    """One picture or other output."""

    n: int
    """Its place, from 1."""
    uri: str
    """Where it lies: ``s3://bucket/key``."""
    url: str
    """Where anyone can get it, for an hour at most."""


class ErrorView(_Words):
    kind: str
    """Class of the failure: ``TaskFailed``, ``InputRefused``, ``RuntimeUnavailable`` …"""
    message: str
    reason: Any = None
    """The runtime's own answer, any JSON."""


class CallView(_Words):
    """One call made to the callback."""

    event: str
    at: float
    status: int | None
    error: str | None


class CallbackView(_Words):
    url: str
    events: tuple[str, ...]
    calls: tuple[CallView, ...]


class TaskView(_Words):
    """What is known of a task now."""

    id: str
    submission: str
    """Identity of this sending; the same id may be sent again."""
    runtime: str
    """Empty for one that was cancelled before it was received."""
    kind: str
    status: Status
    attempt: int
    """How many times it was started."""
    position: int | None = None
    """Tasks queued before it, while it is queued; null where that is not known."""
    eta_seconds: float | None = None
    """About how long until it ends; null where that is not known."""
    progress: ProgressView | None = None
    seconds: dict[str, float] = Field(default_factory=dict)
    """How long each stage took: ``inputs``, ``wait``, ``load``, ``run``, ``store``."""
    checkpoint: str | None = None
    artifacts: tuple[ArtifactView, ...] = ()
    output: ArtifactView | None = None
    """The runtime's whole answer as JSON (``n`` is 0)."""
    error: ErrorView | None = None
    key: str | None = None
    """Name of the API key it was sent with; null for one that came by SNS."""
    context: Any = None
    callback: CallbackView | None = None
    created: float
    """Seconds since 1970, as ``updated``."""
    updated: float
    status_url: str
    events_url: str


class TaskList(_Words):
    """A page of tasks, the newest first."""

    tasks: tuple[TaskView, ...]
    next: str | None = None
    """``cursor`` of the next page; null at the end. A page may be short and have a next one."""


class RuntimeView(_Words):
    """A configured runtime and how it is doing."""

    name: str
    type: str
    kinds: tuple[Kind, ...]
    checkpoint: str | None = None
    """The one it has by configuration."""
    dynamic: bool = False
    """Whether a task may ask for another checkpoint."""
    loaded: tuple[str, ...] = ()
    """Checkpoints that its replicas ran with last."""
    replicas: int
    """Configured replicas."""
    backlog: int | None = None
    """About how many tasks wait in its queue; null where that is not known."""
    leased: int | None = None
    running: int | None = None
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
    """Those that can load it."""


class CheckpointList(_Words):
    checkpoints: tuple[CheckpointView, ...]


class StatusEvent(_Words):
    """``event: status``: it is queued (with a position, where known) or running."""

    status: Status
    attempt: int
    position: int | None = None
    eta_seconds: float | None = None


class PreviewEvent(_Words):
    """``event: preview``: a small picture of the state so far."""

    content_type: str
    data: str
    """In base64."""


class FieldError(_Words):
    field: str
    """JSON path, such as ``callback.url``."""
    message: str


class ProblemView(_Words):
    """An error, as RFC 9457 has it."""

    type: str
    """Stable: ``urn:atelier:`` and one word for the sort of problem."""
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
    """Each wrong field of the request."""
