"""Pictures of tasks, wherever they come from: which files are taken, and how one is opened.

One gate for links and for base64: what it lets through has a known format and a bounded size. Their
pixels are decoded by whoever paints.
"""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from deployments.inputs.png_metadata import without_metadata
from deployments.media_types import sniff
from models.errors import InputRefused
from models.settings.groups import Inputs as Limits

# Not all that Pillow reads: rare formats are little tried, and for EPS it starts Ghostscript.
# Several pictures in one JPEG (MPO) are opened as JPEG.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_NO_PICTURE = "it is not a picture: send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file"
_SHOWN = 200  # characters


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
        raise InputRefused(_NO_PICTURE) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise TooManyPixels from exc
    except Exception as exc:  # over a stranger's bytes Pillow raises anything; it means one thing
        raise InputRefused(f"it is not a picture that can be read ({_in_words(exc)})") from exc


def inline_bytes(text: str) -> bytes:
    """Decode a picture in base64, with a data URL's prefix or without.

    Raises:
        InputRefused: it is no base64.
    """
    body = text.partition(",")[2] if text.lstrip().startswith("data:") else text
    try:
        # Strict, or Python drops what is no base64 and decodes the rest. Line breaks are no fault.
        return base64.b64decode("".join(body.split()), validate=True)
    except ValueError as exc:  # binascii's own error, and letters that are not ASCII
        raise InputRefused(f"it is neither base64 ({exc}) nor a link") from None


def _in_words(exc: Exception) -> str:
    text = f"{type(exc).__name__}: {exc}".splitlines()[0]
    return text[:_SHOWN]
