"""The node classes of the double: what they take, and the little that they do."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

JsonObject = dict[str, Any]
Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """Batch of plain pictures, as it goes from node to node."""

    colour: int = 0
    width: int = 64
    height: int = 64
    batch: int = 1

    def drawn(self, number: int) -> bytes:
        png = io.BytesIO()
        colour = (self.colour + number) & 0xFFFFFF
        rgb = (colour >> 16, colour >> 8 & 0xFF, colour & 0xFF)
        Image.new("RGB", (self.width, self.height), rgb).save(png, "PNG")
        return png.getvalue()


@dataclass(frozen=True)
class Kind:
    """Node class: its required inputs as ComfyUI describes them, and its result."""

    required: Mapping[str, Any] = field(default_factory=dict)
    ends: bool = False
    """`True` for an output node."""
    makes: Callable[[Inputs], Any] = lambda inputs: inputs.get("image") or inputs.get("images")
    slow: bool = False


_IMAGE = ["IMAGE", {}]
_SIZE = ["INT", {"default": 512, "min": 1, "max": 8192}]


def _empty(inputs: Inputs) -> Picture:
    sizes = {key: inputs[key] for key in ("width", "height")}
    return Picture(inputs.get("color", 0), **sizes, batch=inputs.get("batch_size", 1))


def _scaled(inputs: Inputs) -> Picture:
    given: Picture = inputs["image"]
    return Picture(given.colour, inputs["width"], inputs["height"], given.batch)


KINDS: dict[str, Kind] = {
    "EmptyImage": Kind({"width": _SIZE, "height": _SIZE}, makes=_empty),
    "ImageScale": Kind({"image": _IMAGE, "width": _SIZE, "height": _SIZE}, makes=_scaled),
    "ImageBlur": Kind({"image": _IMAGE}, slow=True),
    "LoadImage": Kind({"image": [[], {"image_upload": True}]}, makes=lambda _: Picture(0x0000FF)),
    "LoadImageFromUrl": Kind({"url": ["STRING", {}]}, makes=lambda _: Picture()),
    "CheckpointLoaderSimple": Kind({"ckpt_name": [[], {}]}),
    "Slow": Kind({"steps": ["INT", {}]}, makes=lambda inputs: inputs.get("latent_image")),
    "Raise": Kind({"type": ["STRING", {}], "message": ["STRING", {}]}),
    "Block": Kind({"message": ["STRING", {}]}, ends=True),
    "SaveImage": Kind({"images": _IMAGE}, ends=True),
    "SaveNothing": Kind({"images": _IMAGE}, ends=True),
    "PreviewImage": Kind({"images": _IMAGE}, ends=True),
    "SaveImageWebsocket": Kind({"images": _IMAGE}, ends=True),
    "PreviewAny": Kind({"source": ["*", {}]}, ends=True),
    "Save": Kind(
        {"kind": ["STRING", {}], "file": ["STRING", {}], "hex": ["STRING", {}]}, ends=True
    ),
}
"""``Save``, ``Raise`` and ``Slow`` are in no ComfyUI; for a real one, they are in ``pack``."""


def problems(graph: JsonObject, known: Mapping[str, list[str]], inputs: set[str]) -> JsonObject:
    """Find what is wrong with the inputs of each node, as ``node_errors`` has it."""
    found = {}
    for name, node in graph.items():
        errors = [
            error
            for field_name, told in KINDS[node["class_type"]].required.items()
            if (error := _problem(node["inputs"], field_name, told, known, inputs))
        ] + [
            _error("exception_during_validation", "Exception when validating node", told, "", None)
            for told in (repr(need) for need in _needs(node) if need not in graph)
        ]
        if errors:
            ends = [end for end in graph if KINDS[graph[end]["class_type"]].ends]
            hit = [end for end in ends if name in behind(graph, end)]
            kind = node["class_type"]
            found[name] = {"errors": errors, "dependent_outputs": hit, "class_type": kind}
    return found


def behind(graph: JsonObject, name: str) -> list[str]:
    """List the node and all that it needs, in the order in which they run; each once."""
    order: dict[str, None] = {}
    _walk(graph, name, order, set())
    return list(order)


def _walk(graph: JsonObject, name: str, order: dict[str, None], seen: set[str]) -> None:
    if name in seen or name not in graph:
        return
    seen.add(name)
    for need in _needs(graph[name]):
        _walk(graph, need, order, seen)
    order[name] = None


def _needs(node: JsonObject) -> list[str]:
    return [value[0] for value in node["inputs"].values() if isinstance(value, list)]


def _problem(
    given: Inputs, name: str, told: Any, known: Mapping[str, list[str]], inputs: set[str]
) -> JsonObject | None:
    value = given.get(name)
    if name not in given:
        return _error("required_input_missing", "Required input is missing", name, name, None)
    limits = told[1]
    if "min" in limits and value < limits["min"]:
        message = f"Value {value} smaller than min of {limits['min']}"
        return _error("value_smaller_than_min", message, name, name, value)
    if name in known and value not in known[name]:
        there = known[name]
        shown = str(there) if len(there) <= 20 else f"(list of length {len(there)})"
        details = f"{name}: '{value}' not in {shown}"
        return _error("value_not_in_list", "Value not in list", details, name, value)
    if limits.get("image_upload") and value not in inputs:
        details = f"{name} - Invalid image file: {value}"
        return _error("custom_validation_failed", "Custom validation failed", details, name, None)
    return None


def _error(kind: str, message: str, details: str, field_name: str, value: Any) -> JsonObject:
    extra = {"input_name": field_name, "received_value": value, "traceback": ["/srv/comfyui/x.py"]}
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
