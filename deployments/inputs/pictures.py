"""Pictures of tasks, wherever they come from: which files are taken, and how one is opened.

One gate for links and for base64: what it lets through has a known format and a bounded size. Their
pixels are decoded by whoever paints.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from deployments.inputs.png_metadata import without_metadata
from deployments.media_types import BINARY, sniff
from models import base64_text
from models.errors import InputRefused
from models.settings.groups import Inputs as Limits

# Not all that Pillow reads: rare formats are little tried, and for EPS it starts Ghostscript.
# Several pictures in one JPEG (MPO) are opened as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_TAKEN = "send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file"
_SHOWN = 200  # characters
_HEAD = 8192  # bytes


def check_picture(data: bytes, limits: Limits) -> None:
    """Check the header of a picture, never its pixels: a small file may be a huge picture.

    Raises:
        InputRefused: it is no picture, or has more than ``inputs.maxPixels``; video and sound are
            let through.
    """
    if not data:
        raise InputRefused("it is empty")
    most = limits.max_pixels
    try:
        with opened(data) as picture:
            width, height = picture.size
    except TooManyPixels as exc:
        raise InputRefused(f"its picture has more than {most} pixels (inputs.maxPixels)") from exc
    except InputRefused:
        if sniff(data).content_type.startswith(("video/", "audio/")):
            return
        raise
    if width * height > most:
        raise InputRefused(
            f"its picture has {width} x {height} pixels, more than {most} (inputs.maxPixels)"
        )


def check_inline(text: str, limits: Limits) -> None:
    """Check a picture that a content holds itself by the rules for what a link leads to.

    Raises:
        InputRefused: it is no base64, has more than ``inputs.maxBytes``, or is no picture.
    """
    data = inline_bytes(text)
    if len(data) > limits.max_bytes:
        raise too_large(limits)
    check_picture(data, limits)


class TooManyPixels(InputRefused):
    """More pixels than Pillow opens."""


def too_large(limits: Limits) -> InputRefused:
    """Make the refusal of a file with more bytes than ``inputs.maxBytes``."""
    return InputRefused(f"it is larger than {limits.max_bytes} bytes (inputs.maxBytes)")


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """Open a picture, with nothing decoded yet; within, all that Pillow raises is a refusal.

    Raises:
        InputRefused: it is no picture of a known format, or a broken one.
        TooManyPixels: it has more than Pillow opens.
    """
    try:
        with Image.open(io.BytesIO(without_metadata(data)), formats=FORMATS) as picture:
            yield picture
    except InputRefused:
        raise
    except UnidentifiedImageError:  # its words name an object of ours
        raise InputRefused(_no_picture(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise TooManyPixels from exc
    except Exception as exc:  # over a stranger's bytes Pillow raises anything; it means one thing
        raise InputRefused(f"it is not a picture that can be read ({_in_words(exc)})") from exc


def inline_bytes(text: str) -> bytes:
    """Decode a picture in base64 of any usual form, with a data URL's prefix or without.

    Raises:
        InputRefused: it is no base64.
    """
    _, body = _parts(text)
    try:
        return base64_text.decoded(body)
    except ValueError as exc:  # binascii's own error, and letters that are not ASCII
        raise InputRefused(f"it is neither base64 ({exc}) nor a link") from None


def standard_inline(text: str) -> str:
    """Write a picture in base64 of any usual form in the form that every decoder takes."""
    prefix, body = _parts(text)
    return prefix + base64_text.standard(body)


def _parts(text: str) -> tuple[str, str]:
    """Split a data URL's prefix, with its comma, from the base64; it is empty without one."""
    if not text.lstrip().startswith("data:"):
        return "", text
    prefix, comma, body = text.lstrip().partition(",")
    return prefix + comma, body


def _no_picture(data: bytes) -> str:
    """Say what is no picture of a known format, with its type where the bytes tell one."""
    # The head alone: a text of many megabytes is not parsed for a message's sake.
    media = sniff(data[:_HEAD]) if data else BINARY
    kind = media.content_type.partition(";")[0]
    # Bytes that begin as a known format does, and are none of it, are called by no type.
    if media == BINARY or kind.removeprefix("image/").upper() in FORMATS:
        return f"it is not a picture: {_TAKEN}"
    if kind.startswith("model/"):
        return f"3D models are not taken ({kind}): {_TAKEN}; graphs take video and audio, too"
    if kind.startswith("image/"):
        return f"it is not a picture of a format that is taken ({kind}): {_TAKEN}"
    return f"it is not a picture: {_TAKEN} (this is {kind})"


def _in_words(exc: Exception) -> str:
    text = f"{type(exc).__name__}: {exc}".splitlines()[0]
    return text[:_SHOWN]
