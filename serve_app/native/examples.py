"""Examples of the native API's requests and answers, for OpenAPI and the documentation."""

from collections.abc import Mapping
from typing import Any

from models.dead_letters import (
    DeadLetterList,
    DeadLetterQueueView,
    DeadLetterView,
    LetterOutcome,
    LetterOutcomes,
)
from models.native import (
    ArtifactView,
    CallbackView,
    CallView,
    CheckpointList,
    CheckpointView,
    RuntimeList,
    RuntimeView,
    SchemaView,
    StatusEvent,
    TaskList,
    TaskView,
)
from models.report import Status
from models.task import ENDS, Kind

_SUBMISSION = "6f1c9c0d7d5e4f0bb0d9a3f2c1e8a7b4"
_URL = "https://atelier.example/v1/tasks/harbour-1"
_WHICH = f"?submission={_SUBMISSION}"
_URI = "s3://atelier-outputs/postcards/harbour-1/harbour-1-0dea"
_LINK = "https://atelier-outputs.s3.amazonaws.com/postcards/harbour-1/harbour-1-0dea"

REQUESTS: Mapping[str, Any] = {
    "text-to-image": {
        "value": {
            "kind": "text-to-image",
            "content": {"prompt": "a harbour in fog", "steps": 20, "width": 512},
            "id": "harbour-1",
            "prefix": "postcards",
            "context": {"order": 7},
        }
    },
    "called back": {
        "value": {
            "kind": "text-to-image",
            "runtime": "sdruntime",
            "content": {"prompt": "a harbour in fog"},
            "callback": {"url": "https://shop.example/told", "events": ["completed", "failed"]},
        }
    },
}

QUEUED = TaskView(
    id="harbour-1",
    submission=_SUBMISSION,
    runtime="sdruntime",
    kind="text-to-image",
    status=Status.QUEUED,
    attempt=0,
    position=3,
    eta_seconds=134.0,
    phase="waiting for a node",
    why="a node was not started: no Spot capacity",
    key="shop",
    context={"order": 7},
    created=1795320000.0,
    updated=1795320000.0,
    status_url=f"{_URL}{_WHICH}",
    events_url=f"{_URL}/events{_WHICH}",
)

COMPLETED = QUEUED.model_copy(
    update={
        "status": Status.COMPLETED,
        "attempt": 1,
        "position": None,
        "eta_seconds": None,
        "phase": None,
        "why": None,
        "seconds": {"inputs": 0.1, "wait": 0.0, "load": 0.0, "run": 3.2, "store": 0.2},
        "checkpoint": "shapes",
        "artifacts": (ArtifactView(n=1, uri=f"{_URI}-1.png", url=f"{_LINK}-1.png?X-Amz-…"),),
        "output": ArtifactView(n=0, uri=f"{_URI}.out", url=f"{_LINK}.out?X-Amz-…"),
        "callback": CallbackView(
            url="https://shop.example/told",
            events=ENDS,
            calls=(CallView(event="completed", at=1795320006.5, status=204, error=None),),
        ),
        "updated": 1795320006.0,
    }
)

CANCELLED = QUEUED.model_copy(
    update={
        "status": Status.CANCELLED,
        "position": None,
        "eta_seconds": None,
        "phase": None,
        "why": None,
    }
)

LIST = TaskList(tasks=(COMPLETED,), next="WzE3OTUzMjAwMDAuMCwgImhhcmJvdXItMSJd")

RUNTIMES = RuntimeList(
    runtimes=(
        RuntimeView(
            name="sdruntime",
            type="diffusers",
            kinds=(Kind.IMAGE_TO_IMAGE, Kind.TEXT_TO_IMAGE),
            checkpoint="shapes",
            dynamic=True,
            loaded=("shapes",),
            replicas=1,
            wanted=2,
            starting=1,
            min_replicas=0,
            max_replicas=5,
            reason="13 tasks wait, 1 runs: 2 replicas at 10 tasks each",
            never_started=False,
            backlog=9,
            leased=5,
            running=1,
            seconds_per_task=3.4,
        ),
    )
)

SCHEMA = SchemaView(
    runtime="sdruntime",
    type="diffusers",
    content={
        Kind.TEXT_TO_IMAGE: {
            "type": "object",
            "properties": {"steps": {"type": "integer", "minimum": 1, "maximum": 150}},
        }
    },
)

CHECKPOINTS = CheckpointList(checkpoints=(CheckpointView(name="shapes", runtimes=("sdruntime",)),))

_LETTER = "0f3b7a52-7d1e-4c55-9a11-2b8c6d4e9f10"
DEAD_LETTER = DeadLetterView(
    queue="sdruntime",
    id=_LETTER,
    reason="metadata.id is missing",
    submission=_SUBMISSION,
    sent=1795320000.0,
    receives=1,
    attributes={"runtime": "sdruntime"},
    body='{"metadata": {"tasktype": "text-to-image"}, "content": {"prompt": "a harbour in fog"}}',
    size=84,
)
DEAD_LETTERS = DeadLetterList(
    letters=(DEAD_LETTER,),
    queues=(DeadLetterQueueView(name="sdruntime", waiting=1),),
    complete=True,
)
REDRIVES: Mapping[str, Any] = {
    "some": {"value": {"ids": [_LETTER]}},
    "all": {"value": {"all": True}},
    "edited": {"value": {"ids": [_LETTER], "edit": {"metadata": {"id": "harbour-1"}}}},
}
REDRIVEN = LetterOutcomes(
    outcomes=(LetterOutcome(id=_LETTER, outcome="sent", task="harbour-1", submission=_SUBMISSION),),
    more=False,
    before=1795320600.0,
)
PURGES: Mapping[str, Any] = {
    "some": {"value": {"ids": [_LETTER]}},
    "all": {"value": {"all": True}},
}
PURGED = LetterOutcomes(
    outcomes=(LetterOutcome(id=_LETTER, outcome="deleted", submission=_SUBMISSION),),
    more=False,
    before=1795320600.0,
)

_STATUSES = (
    StatusEvent(
        status=Status.QUEUED,
        attempt=0,
        position=3,
        eta_seconds=134.0,
        phase="waiting for a node",
        why="a node was not started: no Spot capacity",
    ),
    StatusEvent(status=Status.RUNNING, attempt=1, phase="loading a checkpoint"),
)
EVENTS = "".join(
    f"event: status\ndata: {status.model_dump_json()}\nid: 5f0c1a2b.{number}.1\nretry: 2000\n\n"
    for number, status in enumerate(_STATUSES, 17)
) + ('event: progress\ndata: {"step":4,"of":20}\nid: 5f0c1a2b.21.1\nretry: 2000\n\n')
