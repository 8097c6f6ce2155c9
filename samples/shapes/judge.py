"""Judge of a picture: finds the background's colour, and colour and shape of its figure.

Independent of any model: colours by the nearest of the palette, shapes by overlap with drawn ones.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from samples.shapes.draw import PALETTE, SHAPES, Figure, coverage

Plane = NDArray[np.float64]
Mask = NDArray[np.bool_]

LOOK = 64
TEMPLATE = 32
FAINT = 40.0
SPECK = 6
HALF = 127


@dataclass(frozen=True)
class Seen:
    """Finding of the judge; a picture without a figure has no colour and no shape."""

    background: str
    colour: str | None = None
    shape: str | None = None


def judge(image: Image.Image) -> Seen:
    """Name what a picture of one figure shows."""
    pixels = _pixels(image)
    ground = _border_colour(pixels)
    contrast = np.abs(pixels - ground).sum(-1)
    # The 99th percentile, for a few odd pixels shall not say how strong a figure's colour is.
    core = contrast > max(FAINT, 0.6 * float(np.percentile(contrast, 99)))
    if core.sum() < SPECK:
        return Seen(_nearest(ground))
    paint = np.median(pixels[core], axis=0)
    # Nearer to the paint than to the ground: the soft edge between them falls to one side.
    figure = (np.abs(pixels - paint).sum(-1) < contrast) & (contrast > FAINT)
    return Seen(_nearest(ground), _nearest(paint), _shape(_without_specks(figure)))


def _pixels(image: Image.Image) -> Plane:
    """Take the picture, brought down to 64 pixels where both its sides are longer."""
    shrink = min(1.0, LOOK / min(image.size))
    size = (round(image.width * shrink), round(image.height * shrink))
    small = image.convert("RGB").resize(size, Image.Resampling.BOX)
    return np.asarray(small).astype(np.float64)


def _border_colour(pixels: Plane) -> Plane:
    strips = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
    border = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    # The median, since a large figure may reach the border.
    middle: Plane = np.median(border, axis=0)
    return middle


def _nearest(colour: Plane) -> str:
    return min(PALETTE, key=lambda name: float(np.abs(np.array(PALETTE[name]) - colour).sum()))


def _without_specks(figure: Mask) -> Mask:
    calm = _as_image(figure).filter(ImageFilter.MedianFilter(3))
    return _largest_piece(np.asarray(calm) > 0)


def _largest_piece(mask: Mask) -> Mask:
    """Let the largest number spread through each connected piece, then keep the widest spread."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    # Each turn spreads by one pixel, and numbers only grow: it ends when all pieces are filled.
    while True:
        padded = np.pad(labels, 1)
        around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
        spread = np.where(mask, np.maximum.reduce([labels, *around]), 0)
        if (spread == labels).all():
            break
        labels = spread
    widest = np.bincount(labels[mask]).argmax() if mask.any() else -1
    piece: Mask = labels == widest
    return piece


def _shape(figure: Mask) -> str | None:
    if not figure.any():
        return None
    outline = _framed(figure)
    return max(SHAPES, key=lambda shape: _overlap(outline, _template(shape)))


@cache
def _template(shape: str) -> Mask:
    # Larger than a figure ever is in a picture, so that its outline is smooth; the frame scales it.
    return _framed(coverage(Figure(shape, "black", radius=0.95), 2 * LOOK, samples=1) > 0)


def _framed(figure: Mask) -> Mask:
    """Stretch a figure's bounding box to one common frame."""
    rows, columns = np.nonzero(figure)
    box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    frame = _as_image(figure).crop(box).resize((TEMPLATE, TEMPLATE), Image.Resampling.BILINEAR)
    return np.asarray(frame) > HALF


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def _as_image(mask: Mask) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)
