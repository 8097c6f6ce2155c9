"""Pictures in a request of the Web UI's shape: links to them, and base64."""

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.media_types import sniff
from models import base64_text
from models.runtimes import webui

_FIELDS = frozenset(
    {"init_images", "mask", "image", "imageList", "firstphase_image", "firstpass_image"}
)
_SCRIPTS = "alwayson_scripts"
_INNER = frozenset({"data", "image", "mask"})
"""Keys that hold the picture where a field holds an object, such as ``imageList[0].data``."""
_HEAD = 64  # characters of base64, in which a format shows itself
_LONGEST_FIELD = 80  # characters

Path = tuple[str | int, ...]


def is_link(value: Any) -> bool:
    """Tell whether the value of a field that can hold a picture is a link to one."""
    return isinstance(value, str) and webui.is_link(value)


def plain_link(link: str) -> str:
    """Write a link without blanks round it, and with its scheme in lower case."""
    scheme, mark, rest = link.strip().partition("://")
    return f"{scheme.lower()}{mark}{rest}"


def image_links(content: Any) -> list[str]:
    """List the links in fields that can hold a picture, each once, in order."""
    return list(dict.fromkeys(text for _, text in _texts(_fields(content)) if is_link(text)))


def inline_pictures(content: Any) -> dict[str, str]:
    """Find the pictures that the content holds itself, each with the path of its first field.

    In a field of pictures that is every text but a link; in arguments of extensions, whose texts
    may be anything, what begins as the file of a picture does.
    """
    found: dict[str, str] = {}
    for path, text in _texts(_fields(content)):
        if text and not is_link(text) and _is_picture(path, text):
            found.setdefault(text, _spelled(path))
    return found


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
    return {k: v for k, v in content.items() if k in _FIELDS or k == _SCRIPTS}


def _texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _texts(inner, (*path, key))
        case list():
            for index, inner in enumerate(value):
                yield from _texts(inner, (*path, index))
        case str():
            yield path, value


def _is_picture(path: Path, text: str) -> bool:
    if path[0] == _SCRIPTS:
        return path[1:] == ("image_link",) or _begins_as_picture(text)
    keys = [key for key in path[1:] if isinstance(key, str)]
    return not keys or keys[-1] in _INNER


def _begins_as_picture(text: str) -> bool:
    """Tell whether a text is base64 of a picture, by its first bytes."""
    if text.startswith("data:"):
        return text.startswith("data:image/")
    head = "".join(text[:_HEAD].split())
    try:
        data = base64_text.decoded(head[: len(head) // 4 * 4]) if len(text) >= _HEAD else b""
    except ValueError:
        return False
    # PostScript is a text, and is told as one.
    return data.startswith(b"%!PS") or (bool(data) and _is_image(data))


def _is_image(data: bytes) -> bool:
    return sniff(data).content_type.startswith("image/")


def _spelled(path: Path) -> str:
    first, *rest = path
    spelled = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in rest)
    return f"{first}{spelled}"[:_LONGEST_FIELD]


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
