"""Weights files that the nodes of a graph load; knows fields' names, never what a node does."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.comfyui.graphs import unwrapped
from models.runtimes.comfyui.links import taken_from

# As a whole, and numbered where a node takes several: ckpt_name, clip_name1, lora_name_2.
_FIELD = re.compile(
    r"(?:ckpt|checkpoint|vae|lora|unet|clip|clip_vision|control_net|controlnet|style_model|gligen"
    r"|hypernetwork|upscale_model|photomaker_model|audio_encoder|model_patch|model)_name_?\d*"
)
"""Fields of ComfyUI's own loaders, and of many nodes beside them."""
_SUFFIX = re.compile(r"\.(?:safetensors|sft|ckpt|pt2?|pth|bin|pkl|gguf|onnx)", re.IGNORECASE)
"""Extensions of weights files: those that ComfyUI lists, GGUF's and ONNX's."""
_TEXTS = frozenset({"text", "prompt", "filename_prefix"})  # prose may end like a file's name
_BUILT_IN = frozenset({"", "none", "pixel_space"})
"""Values, in lower case, of such fields that stand for no file."""


def weights_files(content: Any) -> list[str]:
    """List the files that a graph's nodes name, each once, in the nodes' order.

    A name is the value of a loader's field (``ckpt_name``, ``lora_name``, ``clip_name1`` …), or one
    anywhere in a node's inputs that ends as weights files do, for nodes with fields of their own.
    What is no graph names none.
    """
    return list(dict.fromkeys(_names(unwrapped(content))))


def _names(graph: Any) -> Iterator[str]:
    for node in graph.values() if isinstance(graph, dict) else ():
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if isinstance(inputs, dict):
            for field, value in _texts(inputs, graph):
                if _FIELD.fullmatch(field):
                    if value.strip().lower() not in _BUILT_IN:
                        yield value
                elif field not in _TEXTS and _is_weights(value):
                    yield value


def _texts(inputs: Mapping[str, Any], graph: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each text within a node's inputs, in their order, with the field that it is under."""
    # A stack and no recursion: a content may be nested deeper than Python's calls can be.
    # What has a link's form is one where ComfyUI looks for links: at the top, known node or not.
    left = [(field, value) for field, value in _last_first(inputs) if taken_from(value) is None]
    while left:
        field, value = left.pop()
        match value:
            case str():
                yield field, value
            case dict() if value.get("on", True):  # a row of rgthree's "Power Lora Loader"
                left += _last_first(value)
            case list() if taken_from(value) not in graph:  # otherwise a link to a node
                left += [(field, item) for item in reversed(value)]


def _last_first(fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(fields.items())[::-1]


def _is_weights(value: str) -> bool:
    _, dot, extension = value.rpartition(".")
    return "\n" not in value and _SUFFIX.fullmatch(dot + extension) is not None
