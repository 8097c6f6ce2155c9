"""Pictures on a terminal: previews, and at the end what was made."""

import io
import logging
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

import PIL.Image
from rich.console import Console, ConsoleOptions, RenderResult

from atelier import PreviewEvent

_WIDEST = 60  # cells
_LOWEST = 3  # rows below which nothing can be recognized
# Pillow's other decoders stay away from bytes of unknown origin: EPS's starts Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_MOST_PIXELS = 64_000_000
_MOST_BYTES = 64 << 20


class Picture(Protocol):
    """Picture that Rich can draw."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult: ...

    def cleanup(self) -> None:
        """Remove the picture from the terminal."""


Source = PreviewEvent | Path
"""Preview, or a saved file."""

Painter = Callable[[Source, int], Picture | None]
"""Makes a picture of at most so many rows; None if it is no picture, or rows are too few."""


def painter(console: Console) -> Painter | None:
    """Return what draws pictures on this console; None if it can draw none."""
    if console.no_color or console.color_system not in {"256", "truecolor"}:
        return None
    if _is_terminal(sys.__stdout__) and not _is_terminal(sys.__stdin__):
        return None  # the library reads the terminal's capabilities from standard input
    logging.getLogger("textual_image").setLevel(logging.ERROR)
    from textual_image import renderable  # noqa: PLC0415 - it asks while it is imported

    kind: type[renderable.TGPImage | renderable.HalfcellImage] = renderable.HalfcellImage
    if renderable.Image is renderable.TGPImage:  # sixels flicker when redrawn in place
        kind = renderable.TGPImage
    try:
        console.measure(
            kind(PIL.Image.new("RGB", (1, 1)))
        )  # asks the terminal for the size of a cell
    except ZeroDivisionError:  # a terminal that does not know its own size
        return None

    def paint(source: Source, rows: int) -> Picture | None:
        try:
            image = _read(source)
        except Exception:  # noqa: BLE001 - decoders of pictures raise errors of any kind
            return None
        if image is None or rows < _LOWEST:
            return None
        width, height = cells(image.width, image.height, min(_WIDEST, console.width - 1), rows)
        return kind(image, width=width, height=height)

    return paint


def cells(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Fit a picture into columns and rows, keeping its shape; a cell is twice as high as wide."""
    wide = min(columns, 2 * rows * width / height)
    return max(1, round(wide)), max(1, round(wide * height / width / 2))


def _read(source: Source) -> PIL.Image.Image | None:
    """Decode a picture; None if it has over 64 million pixels, or its file over 64 MiB."""
    if isinstance(source, PreviewEvent):
        body = b64decode(source.data)
    elif source.stat().st_size > _MOST_BYTES:
        return None
    else:
        body = source.read_bytes()
    image = PIL.Image.open(io.BytesIO(body), formats=_FORMATS)
    # `open` has read no more than the head, so this refuses a bomb before it is unpacked.
    if image.width * image.height > _MOST_PIXELS:
        return None
    image.draft("RGB", (1024, 1024))  # lets JPEGs be decoded at reduced size
    image.load()
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _is_terminal(file: TextIO | None) -> bool:
    return file is not None and file.isatty()
