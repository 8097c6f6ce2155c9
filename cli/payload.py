"""Recognize the task in a payload file, in any of the request shapes in use.

Looked for in this order:

1. ``kind``, and ``content`` or no other of these shapes: a task of ``/v1``.
2. ``task`` with ``metadata`` and ``content``: a body of ``/v1alpha2``.
3. ``metadata`` and ``content``: a message of the tasks topic.
4. ``alwayson_scripts`` with ``id_task``: a body of ``/v1alpha1``.
5. ``nodes`` and ``links``: a workflow as ComfyUI's editor saves it, which nobody can run; refused.
6. Each value has a ``class_type``: a ComfyUI graph in API format, bare or as ``prompt``.
7. ``imageList``, ``image``, ``init_images`` or ``prompt``: a body of the Web UI's own API.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from atelier import Kind, Misused, TaskRequest

TOO_DEEP = "too many brackets within one another"
_EXPORT = (
    "a workflow of ComfyUI's editor cannot be run;"
    " choose Workflow > Export (API) in ComfyUI and submit that file"
)
_SHAPES = (
    "neither a task of /v1, /v1alpha1 or /v1alpha2, nor a message with metadata and content,"
    " nor a ComfyUI graph in API format, nor a body of the Web UI's API; see docs/cli.md"
)
_WEB_UI = {
    "imageList": Kind.EXTRA_BATCH_IMAGES,
    "image": Kind.EXTRA_SINGLE_IMAGE,
    "init_images": Kind.IMAGE_TO_IMAGE,
    "prompt": Kind.TEXT_TO_IMAGE,
}


@dataclass(frozen=True, kw_only=True)
class Payload:
    """Task to submit."""

    task: TaskRequest
    checkpoint: str | None = None
    """Checkpoint by which ``/v1alpha1`` finds the runtime."""


def payload(text: str) -> Payload:
    """Parse the text of a payload file.

    Raises:
        Misused: it is nothing that could be submitted.
    """
    try:
        # Python reads NaN and Infinity, which JSON has not and the platform refuses.
        return _payload(json.loads(text, parse_constant=_refuse))
    except ValidationError as exc:
        # A ValueError, too, hence before it.
        raise Misused.of(exc) from None
    except ValueError as exc:
        raise Misused(f"not JSON: {exc}") from None
    except RecursionError:
        raise Misused(f"not JSON: {TOO_DEEP}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _payload(body: Any) -> Payload:
    match body:
        case {"kind": _, "content": _}:
            return Payload(task=TaskRequest.model_validate(body))
        case {"task": {"metadata": dict(metadata), "content": content}} | {
            "metadata": dict(metadata),
            "content": content,
        }:
            return Payload(task=_message(metadata, content))
        # Before the Web UI's own bodies, since a `prompt` stands in this one, too.
        case {"alwayson_scripts": {"id_task": _} as scripts}:
            return _legacy(scripts, body)
        case {"nodes": list(), "links": list()}:
            raise Misused(_EXPORT)
        # ComfyUI wraps a graph as `prompt`; the Web UI's `prompt` is text, and no graph.
        case {"prompt": dict(graph)} | dict(graph) if _is_graph(graph):
            return Payload(task=TaskRequest(kind=Kind.PIPELINE, content=graph))
        case {"kind": str()}:  # validation names the wrong key
            return Payload(task=TaskRequest.model_validate(body))
        case dict():
            return Payload(task=TaskRequest(kind=_kind(body), content=body))
        case _:
            raise Misused(_SHAPES)


_METADATA = ("runtime", "prefix", "context", "callback", "ttl", "deadline")


def _message(metadata: Mapping[str, Any], content: Any) -> TaskRequest:
    given = {name: metadata.get(name) for name in _METADATA}
    if isinstance(given["callback"], str):
        given["callback"] = {"url": given["callback"]}
    if (named := metadata.get("id")) is not None:
        given["id"] = str(named)
    known = {name: value for name, value in given.items() if value not in (None, "")}
    return TaskRequest(kind=metadata.get("tasktype"), content=content, **known)


def _legacy(scripts: Mapping[str, Any], body: Any) -> Payload:
    """Make the task of a ``/v1alpha1`` body; its content is the whole body, with the checkpoint."""
    metadata = {"tasktype": scripts.get("task"), "id": scripts["id_task"]}
    metadata["prefix"] = scripts.get("save_dir")
    return Payload(task=_message(metadata, body), checkpoint=scripts.get("sd_model_checkpoint"))


def _is_graph(graph: Mapping[str, Any]) -> bool:
    return bool(graph) and all(
        isinstance(node, dict) and "class_type" in node for node in graph.values()
    )


def _kind(body: Mapping[str, Any]) -> Kind:
    found = next((kind for field, kind in _WEB_UI.items() if field in body), None)
    if found is None:
        raise Misused(_SHAPES)
    return found
