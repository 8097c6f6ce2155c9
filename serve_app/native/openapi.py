"""Parts of the OpenAPI description that FastAPI does not find in the operations.

The description needs no API key, so nothing of the configuration is in it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from models.dead_letters import PurgeRequest, RedriveRequest
from models.native import (
    ArtifactView,
    PreviewEvent,
    ProblemView,
    ProgressView,
    StatusEvent,
    TaskRequest,
    TaskView,
)
from models.runtimes import TYPES
from serve_app.native.examples import EVENTS, REQUESTS
from serve_app.native.problems import MEDIA_TYPE, ProblemKind
from serve_app.openapi import header

Answers = dict[int | str, dict[str, Any]]

_SCHEMAS = "#/components/schemas/"
_ALWAYS = (
    ProblemKind.MALFORMED_HEAD,
    ProblemKind.UNAUTHORIZED,
    ProblemKind.URL_TOO_LONG,
    ProblemKind.INVALID,
    ProblemKind.TOO_MANY,
    ProblemKind.TOO_MANY_STRANGERS,
    ProblemKind.HEAD_TOO_LARGE,
    ProblemKind.UNEXPECTED,
    ProblemKind.BUSY,
    ProblemKind.UNAVAILABLE,
)
_RETRIED = frozenset(
    {
        ProblemKind.SLOW_BODY,
        ProblemKind.IN_PROGRESS,
        ProblemKind.TOO_MANY,
        ProblemKind.TOO_MANY_AT_ONCE,
        ProblemKind.TOO_MANY_STRANGERS,
        ProblemKind.BUSY,
        ProblemKind.UNAVAILABLE,
    }
)
_EVENT_DATA: Mapping[str, type[BaseModel]] = {
    "status": StatusEvent,
    "progress": ProgressView,
    "preview": PreviewEvent,
    "artifact": ArtifactView,
    "end": TaskView,
}


_OTHER_CONTENT = {"title": "content of any other type"}


@cache  # making it takes milliseconds, and anybody may ask
def schemas() -> Mapping[str, Any]:
    """Make the schemas that no operation's signature names: the same on every platform."""
    described: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (TaskRequest, "validation"),
        (RedriveRequest, "validation"),
        (PurgeRequest, "validation"),
        *((model, "serialization") for model in _EVENT_DATA.values()),
        (ProblemView, "serialization"),
    ]
    _, found = models_json_schema(described, ref_template=f"{_SCHEMAS}{{model}}")
    named = dict(found["$defs"])
    contents = dict(_contents())
    options = [*({"$ref": f"{_SCHEMAS}{name}"} for name in contents), _OTHER_CONTENT]
    named[TaskRequest.__name__]["properties"]["content"]["anyOf"] = options
    return named | contents


def _contents() -> Iterator[tuple[str, Any]]:
    """Make the schema of each type's contents, named as ``content.diffusers.text-to-image``.

    A runtime's options change what it takes; ``GET /v1/runtimes/{name}/schema`` describes that.
    """
    for type_ in TYPES.values():
        for kind, schema in type_.usual_schemas().items():
            title = f"{kind} of {type_.name}"
            yield f"content.{type_.name}.{kind}", {**schema, "title": title}


def body(
    model: type[BaseModel] = TaskRequest, examples: Mapping[str, Any] = REQUESTS
) -> dict[str, Any]:
    """Describe the body of an operation, which FastAPI does not see: it is read after the key."""
    content = {"schema": _ref(model), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def answer(
    description: str, example: BaseModel, headers: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Describe an answer in JSON by an example."""
    return {
        "model": type(example),
        "description": description,
        "content": {"application/json": {"example": example.model_dump(mode="json")}},
        "headers": dict(headers or {}),
        "links": _links() if isinstance(example, TaskView) else {},
    }


def _links() -> dict[str, Any]:
    """Describe links from an answer on a task to the operations that can follow."""
    of = {"id": "$response.body#/id", "submission": "$response.body#/submission"}
    following = {"getTask": of, "watchTask": of, "getArtifact": {**of, "n": 0}, "cancelTask": of}
    return {
        name: {"operationId": name, "parameters": parameters}
        for name, parameters in following.items()
    }


def stream() -> dict[str, Any]:
    """Describe the stream of server-sent events."""
    events = [_event(name, model) for name, model in _EVENT_DATA.items()]
    return {
        "description": "Server-sent events; the stream is closed after `end`.",
        "content": {"text/event-stream": {"itemSchema": {"oneOf": events}, "example": EVENTS}},
    }


def problems(*kinds: ProblemKind) -> Answers:
    """Describe the problems of an operation, with those that every operation has."""
    by_status = defaultdict(list)
    for kind in dict.fromkeys((*kinds, *_ALWAYS)):
        by_status[int(kind.status)].append(kind)
    return {status: _problem(found) for status, found in sorted(by_status.items())}


def _problem(kinds: Sequence[ProblemKind]) -> dict[str, Any]:
    examples = {
        kind.name.lower(): {"value": kind.view("What is wrong, in words.").model_dump(mode="json")}
        for kind in kinds
    }
    described: dict[str, Any] = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": _ref(ProblemView), "examples": examples}},
    }
    if _RETRIED & set(kinds):
        described["headers"] = {"Retry-After": header("Seconds to wait before trying again.")}
    return described


def _event(name: str, data: type[BaseModel]) -> dict[str, Any]:
    inside = {"contentMediaType": "application/json", "contentSchema": _ref(data)}
    return {
        "type": "object",
        "required": ["event", "data", "id"],
        "properties": {
            "event": {"const": name},
            "data": {"type": "string", **inside},
            "id": {"type": "string"},
            "retry": {"type": "integer"},
        },
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"{_SCHEMAS}{model.__name__}"}
