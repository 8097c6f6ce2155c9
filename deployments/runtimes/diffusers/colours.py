"""Colours of a painted picture, brought back to those of the picture it was made from."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.float32]

_LUMINOSITY = np.array([0.3, 0.59, 0.11], dtype=np.float32)
_LEVELS = np.arange(256)
_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
"""Share of red, green and blue light in CIE's X, Y and Z."""
_WHITE = np.array([0.950456, 1.0, 1.088754])  # daylight, D65
_LINEAR = 0.04045  # below it sRGB is linear
_DARK = 6 / 29  # below it Lab is linear


def with_colours_of(source: Image.Image, painted: Image.Image) -> Image.Image:
    """Give a picture the source's colours, by their histograms, and keep how bright its parts are.

    As in the Web UI: histograms are matched in Lab, and the luminosity is the painted picture's.
    """
    lab, wanted = _lab(painted), _lab(source)
    channels = [_matched(lab[..., index], wanted[..., index]) for index in range(3)]
    coloured = _rgb(np.stack(channels, axis=-1))
    return _with_luminosity(coloured, np.asarray(painted.convert("RGB"), dtype=np.float32))


def _lab(image: Image.Image) -> NDArray[np.uint8]:
    """Convert to L, a and b of 8 bits: L from 0 to 255, a and b with their zero at 128."""
    values = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    linear = np.where(values > _LINEAR, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    parts = linear @ _XYZ.T / _WHITE
    root = np.where(parts > _DARK**3, np.cbrt(parts), parts / (3 * _DARK**2) + 4 / 29)
    lightness = 116 * root[..., 1] - 16
    a, b = 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])
    lab = np.stack([lightness * 2.55, a + 128, b + 128], axis=-1)
    return lab.round().clip(0, 255).astype(np.uint8)


def _rgb(lab: NDArray[np.uint8]) -> Values:
    """Convert back, to values from 0 to 255."""
    lightness, a, b = np.moveaxis(lab.astype(np.float32), -1, 0)
    middle = (lightness / 2.55 + 16) / 116
    root = np.stack([middle + (a - 128) / 500, middle, middle - (b - 128) / 200], axis=-1)
    parts = np.where(root > _DARK, root**3, 3 * _DARK**2 * (root - 4 / 29)) * _WHITE
    linear = (parts @ np.linalg.inv(_XYZ).T).clip(0, 1)
    values = np.where(linear > _LINEAR / 12.92, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    scaled: Values = (values * 255).astype(np.float32)
    return scaled


def _matched(values: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Map the values so that they are distributed as the wanted ones are."""
    have = np.bincount(values.ravel(), minlength=256).cumsum() / values.size
    counts = np.bincount(wanted.ravel(), minlength=256)
    there = counts > 0
    levels = np.interp(have, counts.cumsum()[there] / wanted.size, _LEVELS[there])
    mapped: NDArray[np.uint8] = levels.round().astype(np.uint8)[values]
    return mapped


def _with_luminosity(coloured: Values, bright: Values) -> Image.Image:
    """Shift each colour to the luminosity of another picture, towards grey where it would clip."""
    target = bright @ _LUMINOSITY
    shifted = coloured + (target - coloured @ _LUMINOSITY)[..., None]
    grey = target[..., None]
    offset = shifted - grey
    low, high = offset.min(axis=-1, keepdims=True), offset.max(axis=-1, keepdims=True)
    scale = np.minimum(
        np.where(low < -grey, grey / np.maximum(-low, 1e-6), 1),
        np.where(high > 255 - grey, (255 - grey) / np.maximum(high, 1e-6), 1),
    )
    return Image.fromarray((grey + offset * scale).clip(0, 255).round().astype(np.uint8))
