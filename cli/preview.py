"""Previews as a terminal can show them."""

import io
import logging
import sys
from base64 import b64decode
from collections.abc import Callable
from typing import Protocol, TextIO

import PIL.Image
from rich.console import Console, ConsoleOptions, RenderResult

from atelier import PreviewEvent

_CELLS = 32  # wide


class Picture(Protocol):
    """What Rich can draw."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult: ...

    def cleanup(self) -> None:
        """Have the terminal forget it."""


Painter = Callable[[PreviewEvent], Picture | None]


def painter(console: Console) -> Painter | None:
    """What makes pictures for this console; None where it can show none."""
    if console.no_color or console.color_system not in {"256", "truecolor"}:
        return None
    if _is_terminal(sys.__stdout__) and not _is_terminal(sys.__stdin__):
        return None  # the library asks the terminal what it can, and reads the answer from there
    logging.getLogger("textual_image").setLevel(logging.ERROR)
    from textual_image import renderable  # noqa: PLC0415 - it asks while it is imported

    kind: type[renderable.TGPImage | renderable.HalfcellImage] = renderable.HalfcellImage
    if renderable.Image is renderable.TGPImage:  # sixels are not redrawn in place without flicker
        kind = renderable.TGPImage
    try:
        console.measure(kind(PIL.Image.new("RGB", (1, 1))))  # asks for the size of a cell, once
    except ZeroDivisionError:  # a terminal that does not know its own size
        return None

    def paint(preview: PreviewEvent) -> Picture | None:
        try:
            return kind(io.BytesIO(b64decode(preview.data)), width=_CELLS)
        except (OSError, ValueError):  # not a picture that we know: then none is shown
            return None

    return paint


def _is_terminal(file: TextIO | None) -> bool:
    return file is not None and file.isatty()
