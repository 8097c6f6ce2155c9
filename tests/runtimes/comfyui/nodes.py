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
    optional: Mapping[str, Any] = field(default_factory=dict)
    """Further inputs that are looked at where they are given."""
    ends: bool = False
    """`True` for an output node."""
    gives: int = 1
    """Number of its outputs; an output node has none."""
    makes: Callable[[Inputs], Any] = lambda inputs: inputs.get("image") or inputs.get("images")
    slow: bool = False


_LINK = 2  # an id and the number of an output
_IMAGE = ["IMAGE", {}]
_SIZE = ["INT", {"default": 512, "min": 1, "max": 16384}]
_BATCH = ["INT", {"default": 1, "min": 1, "max": 4096}]
_COLOR = ["INT", {"default": 0, "min": 0, "max": 0xFFFFFF}]
_TEXT = ["STRING", {}]
_STEPS = ["INT", {"default": 20, "min": 1, "max": 10000}]
_BYTES = ["INT", {"default": 0, "min": 0, "max": 2**27}]
_MOST_PIXELS = 2**24
"""Pixels of a batch for which the double has memory."""


def _empty(inputs: Inputs) -> Picture:
    sizes = {key: inputs[key] for key in ("width", "height")}
    return _within_memory(
        Picture(inputs.get("color", 0), **sizes, batch=inputs.get("batch_size", 1))
    )


def _scaled(inputs: Inputs) -> Picture:
    given: Picture = inputs["image"]
    return _within_memory(Picture(given.colour, inputs["width"], inputs["height"], given.batch))


def _within_memory(picture: Picture) -> Picture:
    if picture.width * picture.height * picture.batch > _MOST_PIXELS:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    return picture


KINDS: dict[str, Kind] = {
    "EmptyImage": Kind(
        {"width": _SIZE, "height": _SIZE}, {"batch_size": _BATCH, "color": _COLOR}, makes=_empty
    ),
    "ImageScale": Kind({"image": _IMAGE, "width": _SIZE, "height": _SIZE}, makes=_scaled),
    "ImageBlur": Kind({"image": _IMAGE}, slow=True),
    "LoadImage": Kind(
        {"image": [[], {"image_upload": True}]}, gives=2, makes=lambda _: Picture(0x0000FF)
    ),
    "LoadImageFromUrl": Kind({"url": _TEXT}, makes=lambda _: Picture()),
    "CheckpointLoaderSimple": Kind({"ckpt_name": [[], {}]}, gives=3),
    "Slow": Kind({"steps": _STEPS}, makes=lambda inputs: inputs.get("latent_image")),
    "Raise": Kind({"type": _TEXT, "message": _TEXT}),
    "Block": Kind({"message": _TEXT}, ends=True),
    "SaveImage": Kind({"images": _IMAGE}, {"filename_prefix": _TEXT}, ends=True),
    "SaveNothing": Kind({"images": _IMAGE}, ends=True),
    "PreviewImage": Kind({"images": _IMAGE}, ends=True),
    "SaveImageWebsocket": Kind({"images": _IMAGE}, ends=True),
    "PreviewAny": Kind({"source": ["*", {}]}, ends=True),
    "Save": Kind({"kind": _TEXT, "file": _TEXT, "hex": _TEXT}, {"more": _BYTES}, ends=True),
}
"""``Save``, ``Raise`` and ``Slow`` are in no ComfyUI; for a real one, they are in ``pack``."""


def problems(graph: JsonObject, known: Mapping[str, list[str]], inputs: set[str]) -> JsonObject:
    """Find what is wrong with the inputs of each node, as ``node_errors`` has it.

    Numbers and texts of the graph become those that their inputs are of, as far as they can.
    """
    found = {}
    for name, node in graph.items():
        kind = KINDS[node["class_type"]]
        errors = [
            error
            for field_name, told in {**kind.required, **kind.optional}.items()
            if (error := _problem(node["inputs"], field_name, told, known, inputs))
            and (field_name in kind.required or field_name in node["inputs"])
        ] + [
            _error("exception_during_validation", "Exception when validating node", told, "", None)
            for value in node["inputs"].values()
            if (told := _bad_link(value, graph))
        ]
        if errors:
            ends = [end for end in graph if KINDS[graph[end]["class_type"]].ends]
            hit = [end for end in ends if name in behind(graph, end)]
            found[name] = {
                "errors": errors,
                "dependent_outputs": hit,
                "class_type": node["class_type"],
            }
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
    return [value[0] for value in node["inputs"].values() if is_link(value)]


def is_link(value: Any) -> bool:
    """Tell whether a value is a link to ComfyUI when it runs a graph: an id and a number."""
    match value:
        case [str(), int() | float()]:
            return True
    return False


def _bad_link(value: Any, graph: JsonObject) -> str | None:
    """Say how Python ends the look for the type of what is linked; None if it finds one."""
    if not isinstance(value, list) or len(value) != _LINK:
        return None
    try:
        kind = KINDS[graph[value[0]]["class_type"]]
        (() if kind.ends else ("*",) * kind.gives)[value[1]]
    except (KeyError, IndexError, TypeError) as exc:
        return str(exc)
    return None


def _converted(value: Any, kind: Any) -> Any:
    """Convert a value as ComfyUI does before it looks at it.

    Raises:
        Exception: any of Python's, of ``int`` and ``float``.
    """
    made = {"INT": int, "FLOAT": float, "STRING": str}.get(kind) if isinstance(kind, str) else None
    return made(value) if made else value


def _problem(
    given: JsonObject, name: str, told: Any, known: Mapping[str, list[str]], inputs: set[str]
) -> JsonObject | None:
    value = given.get(name)
    if name not in given:
        return _error("required_input_missing", "Required input is missing", name, name, None)
    if isinstance(value, list):
        if len(value) == _LINK:
            return None
        message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        return _error("bad_linked_input", message, name, name, value)
    kind, limits = told
    try:
        value = given[name] = _converted(value, kind)
    except Exception as exc:  # noqa: BLE001 - as ComfyUI has it: infinity and NaN, too
        message = f"Failed to convert an input value to a {kind} value"
        details = f"{name}, {value}, {exc}"
        return _error("invalid_input_type", message, details, name, value)
    return _out_of_limits(name, value, limits) or _not_there(name, value, limits, known, inputs)


def _out_of_limits(name: str, value: Any, limits: Inputs) -> JsonObject | None:
    if "min" in limits and value < limits["min"]:
        message = f"Value {value} smaller than min of {limits['min']}"
        return _error("value_smaller_than_min", message, name, name, value)
    if "max" in limits and value > limits["max"]:
        message = f"Value {value} bigger than max of {limits['max']}"
        return _error("value_bigger_than_max", message, name, name, value)
    return None


def _not_there(
    name: str, value: Any, limits: Inputs, known: Mapping[str, list[str]], inputs: set[str]
) -> JsonObject | None:
    if name in known and value not in known[name]:
        there = known[name]
        shown = str(there) if len(there) <= 20 else f"(list of length {len(there)})"
        details = f"{name}: '{value}' not in {shown}"
        return _error("value_not_in_list", "Value not in list", details, name, value)
    if limits.get("image_upload") and not isinstance(value, str):
        told = f"'{type(value).__name__}' object has no attribute 'endswith'"
        message = "Exception when validating node"
        return _error("exception_during_validation", message, told, "", None)
    if limits.get("image_upload") and value not in inputs:
        details = f"{name} - Invalid image file: {value}"
        return _error("custom_validation_failed", "Custom validation failed", details, name, None)
    return None


def _error(kind: str, message: str, details: str, field_name: str, value: Any) -> JsonObject:
    extra = {"input_name": field_name, "received_value": value, "traceback": ["/srv/comfyui/x.py"]}
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
