"""Dialect ``v1alpha2``: a task in a wrapper, routed by the name of its runtime."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.settings.groups import Runtime
from models.task import Kind
from models.wire import Message
from serve_app.dialects.dialect import Dialect
from serve_app.dialects.rules import (
    INVALID,
    Accepted,
    ParseContext,
    Refused,
    incorrect,
    is_kind,
    is_name,
    read,
    refuse_large,
    refuse_last,
    task_in,
)
from serve_app.runtimes import Runtimes


def parse(raw: bytes, context: ParseContext) -> Accepted:
    """Read the task in a body; the message is the body as it came, unknown keys included.

    Raises:
        Refused: it is no task; the text is the answer.
    """
    wrapped = _wrapped(read(raw))
    refuse_large(wrapped, context.max_payload_bytes)
    body = _checked(wrapped)
    runtime = _runtime(body["metadata"], context.runtimes)
    task = task_in(body, runtime, context.runtimes)
    answer = {
        "id": task.id,
        "runtime": runtime.name,
        "output_location": f"s3://{context.output_bucket}/{task.folder}",
        "id_task": task.id,
    }
    message = Message(body=body, attributes={"runtime": runtime.name})
    return Accepted(task=task, message=message, answer=answer)


def _wrapped(body: Any) -> Any:
    match body:
        case {"task": wrapped}:
            return wrapped
        case _:
            raise Refused(INVALID)


def _checked(wrapped: Any) -> dict[str, Any]:
    if not isinstance(wrapped, dict):
        raise Refused(INVALID)
    refuse_last(_faults(wrapped))
    if not wrapped["metadata"].get("prefix"):  # told after every rule that has a text of its own
        raise Refused(INVALID)
    return wrapped


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    if "metadata" in body:
        yield from _metadata_faults(body["metadata"])
    else:
        yield "metadata is missing"
    if "content" not in body:
        yield "content is missing"


def _metadata_faults(metadata: Any) -> Iterator[str]:
    if not isinstance(metadata, dict):
        raise Refused(INVALID)
    if not is_name(metadata.get("id")):
        yield "invalid id format"
    if not is_kind(metadata.get("tasktype")):
        yield "invalid tasktype"
    if not is_name(metadata.get("runtime")):
        yield "invalid runtime format"


def _runtime(metadata: Mapping[str, Any], runtimes: Runtimes) -> Runtime:
    runtime = runtimes.named(metadata["runtime"])
    if runtime is None:
        raise incorrect("unknown runtime")
    return runtime


_REQUEST: Mapping[str, Any] = {
    "type": "object",
    "required": ["task"],
    "properties": {
        "task": {
            "type": "object",
            "required": ["metadata", "content"],
            "properties": {
                "metadata": {
                    "type": "object",
                    "required": ["id", "runtime", "tasktype", "prefix"],
                    "properties": {
                        "id": {
                            "type": "string",
                            "minLength": 1,
                            "description": "Your name for the task (letters, digits, '-', '_').",
                        },
                        "runtime": {
                            "type": "string",
                            "minLength": 1,
                            "description": "Name of a configured runtime, in any case.",
                        },
                        "tasktype": {
                            "type": "string",
                            "enum": [*(kind.value for kind in Kind), "extra-batch-image"],
                        },
                        "prefix": {
                            "type": "string",
                            "minLength": 1,
                            "description": "Folder in the output bucket.",
                        },
                        "context": {"description": "Any JSON, echoed in the notification."},
                    },
                },
                "content": {"description": "The runtime's own request: any JSON."},
            },
        }
    },
}

_ANSWER: Mapping[str, Any] = {
    "type": "object",
    "required": ["id", "runtime", "output_location"],
    "properties": {
        "id": {"type": "string"},
        "runtime": {"type": "string"},
        "output_location": {"type": "string", "description": "Where the artifacts will be."},
        "id_task": {"type": "string"},
    },
}

_EXAMPLES: Mapping[str, Any] = {
    "text-to-image": {
        "value": {
            "task": {
                "metadata": {
                    "id": "harbour-1",
                    "runtime": "sdruntime",
                    "tasktype": "text-to-image",
                    "prefix": "postcards",
                    "context": {"order": 7},
                },
                "content": {"prompt": "a harbour in fog", "steps": 20, "width": 512},
            }
        }
    },
    "pipeline": {
        "value": {
            "task": {
                "metadata": {
                    "id": "harbour-2",
                    "runtime": "comfy",
                    "tasktype": "pipeline",
                    "prefix": "postcards",
                },
                "content": {
                    "1": {"class_type": "LoadImage", "inputs": {"image": "s3://postcards/fog.png"}},
                    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
                },
            }
        }
    },
}

V1ALPHA2 = Dialect(
    name="v1alpha2", parse=parse, request=_REQUEST, answer=_ANSWER, examples=_EXAMPLES
)
