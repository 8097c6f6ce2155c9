"""Links to pictures in a request of the Web UI's shape."""

from collections.abc import Iterator, Mapping
from typing import Any

from models.runtimes.webui import SCHEMES

_FIELDS = frozenset(
    {"init_images", "mask", "image", "imageList", "firstphase_image", "firstpass_image"}
)


def is_link(value: Any) -> bool:
    """Tell whether a whole string is one link: no prose, however it starts."""
    if not isinstance(value, str) or not value.startswith(SCHEMES):
        return False
    return not any(char.isspace() for char in value)


def image_links(content: Any) -> list[str]:
    """List the links in fields that can hold a picture, each once, in order."""
    return list(dict.fromkeys(_walk(_fields(content))))


def with_inputs(content: Any, inputs: Mapping[str, str]) -> Any:
    """Copy the content, with the text in ``inputs`` in place of each link of an image field."""
    if not isinstance(content, dict):
        return content
    swapped = {key: _swap(value, inputs) for key, value in _fields(content).items()}
    return content | swapped


def _fields(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        return {}
    # An extension may hold pictures under names of its own, so all of alwayson_scripts counts.
    return {k: v for k, v in content.items() if k in _FIELDS or k == "alwayson_scripts"}


def _walk(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for inner in value.values():
                yield from _walk(inner)
        case list():
            for inner in value:
                yield from _walk(inner)
        case str() if is_link(value):
            yield value


def _swap(value: Any, inputs: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _swap(inner, inputs) for key, inner in value.items()}
        case list():
            return [_swap(inner, inputs) for inner in value]
        case str():
            return inputs.get(value, value)
        case _:
            return value
