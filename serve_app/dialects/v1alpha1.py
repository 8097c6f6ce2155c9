"""``POST /v1alpha1``: a Web UI request with its routing inside ``alwayson_scripts``; pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.settings import Settings
from models.settings.groups import Runtime
from models.task import Kind
from models.wire import Message
from serve_app.dialects.rules import (
    INVALID,
    Accepted,
    Kinds,
    Refused,
    incorrect,
    is_kind,
    is_name,
    read,
    refuse_large,
    refuse_last,
    task_in,
)

# What a topic takes as an attribute's value: XML's characters, and no longer than a file's name.
_ATTRIBUTE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,1024}")
_HASH = re.compile(r" \[[0-9a-fA-F]+\]$")


def parse(raw: bytes, settings: Settings, kinds: Kinds) -> Accepted:
    """The message that a body asks to publish.

    Raises:
        Refused: with the answer's text.
    """
    body = read(raw)
    refuse_large(body, settings.tasks.max_payload_bytes)
    scripts = _checked(body)
    checkpoint = scripts["sd_model_checkpoint"]
    runtime = _runtime(checkpoint, settings)
    task = task_in(_legacy(scripts, body), runtime, kinds)
    folder = f"{settings.names.output_bucket}/{task.folder}"
    answer = {
        "id_task": task.id,
        "sd_model_checkpoint": checkpoint,
        "output_location": f"s3://{folder}",
    }
    legacy = _legacy(scripts, {**body, "s3_output_path": folder})
    message = Message(body=legacy, attributes=_route(checkpoint, runtime))
    return Accepted(message=message, runtime=runtime.name, answer=answer)


def _checked(body: Any) -> Mapping[str, Any]:
    """The routing keys of a body that is right."""
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


def _runtime(checkpoint: str, settings: Settings) -> Runtime:
    """Found by file name, or by a title, which has the file's hash behind it."""
    runtime = settings.runtime_of_checkpoint(_HASH.sub("", checkpoint))
    if runtime is None:
        raise incorrect("unknown sd_model_checkpoint")
    return runtime


def _route(checkpoint: str, runtime: Runtime) -> dict[str, str]:
    """The topic knows a runtime by its own checkpoint; by name where it is to load another."""
    named = {} if checkpoint == runtime.model_filename else {"runtime": runtime.name}
    return {"sd_model_checkpoint": checkpoint, **named}


def _legacy(scripts: Mapping[str, Any], content: Any) -> dict[str, Any]:
    metadata = {
        "id": scripts["id_task"],
        "runtime": "legacy",
        "tasktype": scripts["task"],
        "prefix": scripts["save_dir"],
        "context": {},
    }
    return {"metadata": metadata, "content": content}


REQUEST: Mapping[str, Any] = {
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

ANSWER: Mapping[str, Any] = {
    "type": "object",
    "required": ["id_task", "sd_model_checkpoint", "output_location"],
    "properties": {
        "id_task": {"type": "string"},
        "sd_model_checkpoint": {"type": "string"},
        "output_location": {"type": "string", "description": "Where the artifacts will be."},
    },
}

EXAMPLES: Mapping[str, Any] = {
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
