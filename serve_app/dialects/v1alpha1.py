"""Dialect ``v1alpha1``: a Web UI request with its routing inside ``alwayson_scripts``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from models.settings.groups import Runtime
from models.task import Kind, Task
from models.wire import Message, body_of
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

# What a topic takes as an attribute's value: XML's characters, and no longer than a file's name.
_ATTRIBUTE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,1024}")
# As the Web UI writes a checkpoint's title: shapes.safetensors [6ce0161689].
_HASH = re.compile(r" \[[0-9a-fA-F]+\]$")


def parse(raw: bytes, context: ParseContext) -> Accepted:
    """Read the task in a body; its message is one of the newer form, around the whole body.

    Raises:
        Refused: it is no task; the text is the answer.
    """
    body = read(raw)
    refuse_large(body, context.max_payload_bytes)
    scripts = _checked(body)
    checkpoint = scripts["sd_model_checkpoint"]
    runtime = _runtime(checkpoint, context.runtimes)
    given = _given(scripts, body)
    task = task_in(body_of(given), runtime, context.runtimes)
    folder = f"{context.output_bucket}/{task.folder}"
    content = {**body, "s3_output_path": folder}
    answer = {
        "id_task": task.id,
        "sd_model_checkpoint": checkpoint,
        "output_location": f"s3://{folder}",
    }
    message = Message(
        body=body_of(replace(given, content=content)), attributes=_route(checkpoint, runtime)
    )
    return Accepted(task=replace(task, content=content), message=message, answer=answer)


def _checked(body: Any) -> Mapping[str, Any]:
    """Return the routing keys of a body, or refuse it."""
    if not isinstance(body, dict):
        raise Refused(INVALID)
    refuse_last(_faults(body))
    scripts: Mapping[str, Any] = body["alwayson_scripts"]
    if not scripts.get("save_dir") or not _is_attribute(scripts["sd_model_checkpoint"]):
        raise Refused(INVALID)  # told after every rule that has a text of its own
    return scripts


def _faults(body: Mapping[str, Any]) -> Iterator[str]:
    if "alwayson_scripts" not in body:
        yield "alwayson_scripts is missing"
        return
    scripts = body["alwayson_scripts"]
    if not isinstance(scripts, dict):
        raise Refused(INVALID)
    if "sd_model_checkpoint" not in scripts:
        yield "sd_model_checkpoint is missing"
    if not is_name(scripts.get("id_task")):
        yield "invalid id_task format"
    if not _is_legacy_kind(scripts.get("task")):
        yield "invalid task type"


def _is_legacy_kind(given: Any) -> bool:
    return is_kind(given) and given != Kind.PIPELINE


def _is_attribute(given: Any) -> bool:
    return isinstance(given, str) and _ATTRIBUTE.fullmatch(given) is not None


def _runtime(checkpoint: str, runtimes: Runtimes) -> Runtime:
    """Find the runtime of a checkpoint, named by its file or by a title, which ends in a hash."""
    runtime = runtimes.of_checkpoint(_HASH.sub("", checkpoint))
    if runtime is None:
        raise incorrect("unknown sd_model_checkpoint")
    return runtime


def _route(checkpoint: str, runtime: Runtime) -> dict[str, str]:
    """Make the attributes by which the topic finds the runtime's queue.

    Its filter knows a runtime by its own checkpoint, and by name where it is to load another.
    """
    named = {} if checkpoint == runtime.model_filename else {"runtime": runtime.name}
    return {"sd_model_checkpoint": checkpoint, **named}


def _given(scripts: Mapping[str, Any], content: Any) -> Task:
    """Make a task of the routing keys in the client's spelling, for the message."""
    return Task(
        submission="",
        id=scripts["id_task"],
        runtime="legacy",  # the reference's word; the runtime is found by the attributes
        kind=scripts["task"],
        prefix=scripts["save_dir"],
        content=content,
    )


_REQUEST: Mapping[str, Any] = {
    "type": "object",
    "required": ["alwayson_scripts"],
    "description": "A Stable Diffusion Web UI request; other keys are passed on.",
    "properties": {
        "alwayson_scripts": {
            "type": "object",
            "required": ["task", "id_task", "sd_model_checkpoint", "save_dir"],
            "properties": {
                "task": {
                    "type": "string",
                    "enum": [
                        *(kind.value for kind in Kind if kind is not Kind.PIPELINE),
                        "extra-batch-image",
                    ],
                },
                "id_task": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Your name for the task (letters, digits, '-', '_').",
                },
                "sd_model_checkpoint": {"type": "string", "minLength": 1},
                "save_dir": {
                    "type": "string",
                    "minLength": 1,
                    "description": "Folder in the output bucket.",
                },
                "image_link": {"type": "string", "description": "Where the first image is."},
            },
        }
    },
}

_ANSWER: Mapping[str, Any] = {
    "type": "object",
    "required": ["id_task", "sd_model_checkpoint", "output_location"],
    "properties": {
        "id_task": {"type": "string"},
        "sd_model_checkpoint": {"type": "string"},
        "output_location": {"type": "string", "description": "Where the artifacts will be."},
    },
}

_EXAMPLES: Mapping[str, Any] = {
    "text-to-image": {
        "value": {
            "alwayson_scripts": {
                "task": "text-to-image",
                "id_task": "orchard-1",
                "sd_model_checkpoint": "shapes.safetensors",
                "save_dir": "postcards",
            },
            "prompt": "an orchard under snow",
            "steps": 20,
        }
    }
}

V1ALPHA1 = Dialect(
    name="v1alpha1", parse=parse, request=_REQUEST, answer=_ANSWER, examples=_EXAMPLES
)
