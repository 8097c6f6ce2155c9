"""Pictures as the Web UI's API carries them: base64, with or without a data URL's prefix."""

import base64
import binascii
from io import BytesIO
from typing import Any

from PIL import Image

_PREVIEW_SIDE = 256
_LONG = 512  # characters; no word of a prompt is so long


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    """The bytes of a picture.

    Raises:
        ValueError: it is no base64.
    """
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(body)
    except binascii.Error as exc:
        raise ValueError(f"no base64: {exc}") from exc


def small(text: str) -> bytes | None:
    """A preview as a small JPEG; None where it is no picture."""
    try:
        with Image.open(BytesIO(decoded(text))) as picture:
            picture.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
            file = BytesIO()
            picture.convert("RGB").save(file, "JPEG")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return file.getvalue()


def without_pictures(value: Any) -> Any:
    """A copy of any JSON in which what can only be a picture is an empty string."""
    match value:
        case dict():
            return {key: without_pictures(inner) for key, inner in value.items()}
        case list():
            return [without_pictures(inner) for inner in value]
        case str() if len(value) > _LONG and value.isascii() and " " not in value:
            return ""
    return value
