"""Client of the platform: `Client`, and `AsyncClient` for an event loop."""

from atelier.artifacts import SaveProgress
from atelier.blocking import Client
from atelier.client import LOCAL, AsyncClient, TaskRef
from atelier.errors import (
    AtelierError,
    Misaddressed,
    Misused,
    NotFound,
    Refused,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from atelier.events import Event
from atelier.files import picture
from models.dead_letters import DeadLetterList, DeadLetterView, LetterOutcome
from models.native import (
    ArtifactView,
    CallbackRequest,
    CheckpointView,
    PreviewEvent,
    ProblemView,
    ProgressView,
    RuntimeView,
    StatusEvent,
    TaskRequest,
    TaskView,
)
from models.report import Status
from models.task import Kind

__all__ = [
    "LOCAL",
    "ArtifactView",
    "AsyncClient",
    "AtelierError",
    "CallbackRequest",
    "CheckpointView",
    "Client",
    "DeadLetterList",
    "DeadLetterView",
    "Event",
    "Kind",
    "LetterOutcome",
    "Misaddressed",
    "Misused",
    "NotFound",
    "PreviewEvent",
    "ProblemView",
    "ProgressView",
    "Refused",
    "RuntimeView",
    "SaveProgress",
    "Status",
    "StatusEvent",
    "TaskRef",
    "TaskRequest",
    "TaskView",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "picture",
]
