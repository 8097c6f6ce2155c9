"""Type ``comfyui``: graphs on a ComfyUI server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from models.checkpoints import place_of
from models.runtimes.comfyui.graphs import graph_faults
from models.runtimes.comfyui.options import Options
from models.runtimes.content import Content, Fault, JsonSchema, first
from models.runtimes.type import RuntimeType
from models.settings.base import Group
from models.settings.groups import Runtime
from models.task import Kind

__all__ = ["COMFYUI", "Options"]


class GraphContent(Content):
    """Content that is a graph in ComfyUI's API format, or a body of ComfyUI's ``/prompt``."""

    @override
    def faults(self, content: Any, options: Group) -> Sequence[Fault]:
        own = _own(options)
        return first(graph_faults(content, own.allow_nodes, own.allow_files))

    @override
    def schema(self, options: Group) -> JsonSchema:
        allowed = _own(options).allow_nodes
        kind = {"type": "string", "minLength": 1} if allowed is None else {"enum": sorted(allowed)}
        node = {
            "type": "object",
            "required": ["class_type", "inputs"],
            "properties": {
                "class_type": {**kind, "description": "The node's class."},
                "inputs": {
                    "type": "object",
                    "description": "Values, and [id, slot] for what another node gives.",
                },
            },
        }
        graph = {
            "type": "object",
            "description": "Nodes by their ids: Workflow > Export (API) in ComfyUI.",
            "minProperties": 1,
            "additionalProperties": node,
        }
        wrapped = {
            "type": "object",
            "description": "The body of ComfyUI's own POST /prompt; the graph alone counts.",
            "required": ["prompt"],
            "properties": {"prompt": graph},
        }
        return {"title": "Graph", "anyOf": [graph, wrapped]}


def _own(options: Group) -> Options:
    if not isinstance(options, Options):
        raise TypeError(f"options of another type: {type(options).__module__}")
    return options


def _lacks(runtime: Runtime, options: Group, folder: Path | None) -> Iterator[str]:
    del folder
    own = _own(options)
    paths = {f"modelPaths.{sort}": paths for sort, paths in own.model_paths.items()}
    for key, folders in {"customNodes": own.custom_nodes, **paths}.items():
        for each in folders:
            if not each.expanduser().is_dir():
                path = f"modelsRuntime[{runtime.name}].options.{key}"
                yield f"{path}: there is no such folder{place_of(each)}"


COMFYUI = RuntimeType(
    name="comfyui",
    kinds=frozenset({Kind.PIPELINE}),
    options=Options,
    contents={Kind.PIPELINE: GraphContent()},
    image_server={
        "command": [
            "/opt/venv/bin/python",
            "main.py",
            "--user-directory=/var/lib/atelier/comfyui",
        ],
        "folder": "/comfyui",
    },
    lacks=_lacks,
)
