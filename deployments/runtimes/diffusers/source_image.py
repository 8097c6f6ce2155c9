"""Source image of image-to-image: fitted to the requested size, with the part to repaint."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from deployments.runtimes.diffusers.limits import Size
from models.runtimes.diffusers.generation_requests import ImageToImage

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""

_THRESHOLD = 128  # of a mask's brightness
_SMOOTH = Image.Resampling.LANCZOS
_SPREADS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radii of blurs that are laid over each other, each as often as the second number says."""
_KERNEL = 2.5
"""Half the width of the kernel by which a mask is blurred, in its standard deviations."""


class Resize(IntEnum):
    """Ways of the Web UI's ``resize_mode``."""

    STRETCH = 0
    CROP = 1
    FILL = 2


class Fill(IntEnum):
    """Ways of the Web UI's ``inpainting_fill``: the masked part's content before it is painted."""

    SURROUNDINGS = 0
    ORIGINAL = 1
    NOISE = 2
    NOTHING = 3


@dataclass(frozen=True, eq=False)
class Repaint:
    """Part of a picture that is painted anew; every other pixel stays as it is."""

    mask: Image.Image
    """White where to paint, of the view's size; its edge is blurred."""
    whole: Image.Image
    box: Box
    """Part of the whole that the view shows."""
    seam: Image.Image
    """Opacity of the new picture, of the whole's size; black outside the mask, and the box."""

    def shrunk(self, side: int) -> "Repaint":
        """Return the same of a small whole, by which a small picture is finished."""
        size = shrunk(self.whole.size, side)
        x, y = size[0] / self.whole.width, size[1] / self.whole.height
        left, top, right, bottom = self.box
        box = (int(left * x), int(top * y), math.ceil(right * x), math.ceil(bottom * y))
        return replace(self, whole=self.whole.resize(size), seam=self.seam.resize(size), box=box)

    def finish(self, painted: Image.Image) -> Image.Image:
        """Put the painted view into the whole."""
        left, top, right, bottom = self.box
        view = fitted(painted, (right - left, bottom - top), Resize.CROP)
        finished = self.whole.copy()
        finished.paste(view, self.box, self.seam.crop(self.box))
        return finished


@dataclass(frozen=True, eq=False)
class SourceImage:
    """Source image as the checkpoint sees it."""

    view: Image.Image
    repaint: Repaint | None = None

    def shrunk(self, side: int) -> "SourceImage":
        """Return the same for a small picture, no side of which is longer than this."""
        return replace(self, repaint=self.repaint and self.repaint.shrunk(side))

    def finish(self, painted: Image.Image) -> Image.Image:
        """Return the painted view, put into its whole if only a part is repainted."""
        return self.repaint.finish(painted) if self.repaint else painted

    def latent_mask(self, shape: Sequence[int]) -> torch.Tensor:
        """Make a mask of 1 x 1 x ``shape``: 1 for each latent of which most is repainted."""
        if self.repaint is None:
            return torch.ones(1, 1, *shape)
        size = (shape[1], shape[0])
        area = self.repaint.mask.convert("L").resize(size, Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(area, dtype=np.float32) / 255).round()[None, None]

    @property
    def filled(self) -> Image.Image:
        """View with its surroundings' colours spread into the part to repaint."""
        return _spread_colours(self.view, self.repaint.mask) if self.repaint else self.view


def fit_source(
    request: ImageToImage, image: Image.Image, mask: Image.Image | None, size: Size
) -> SourceImage:
    """Fit the picture; with a mask, in greys, to the part of it that the request repaints."""
    how = Resize(request.resize_mode)
    if mask is None:
        return SourceImage(fitted(image, size, how))
    area = _area(mask, image.size, invert=request.inpainting_mask_invert)
    soft = _blurred(area, request.feather)
    box = _around(soft, size, request.inpaint_full_res_padding)
    if request.inpaint_full_res and box:
        whole, near = image, Resize.FILL
    else:
        whole, soft, near = fitted(image, size, how), fitted(soft, size, how), Resize.STRETCH
        area = _binary(fitted(area, size, how))
        box = (0, 0, *size)
    repaint = Repaint(
        mask=fitted(soft.crop(box), size, near),
        whole=whole,
        box=box,
        seam=_feathered(area, request.feather),
    )
    return SourceImage(fitted(whole.crop(box), size, near), repaint)


def fitted(image: Image.Image, size: Size, how: Resize) -> Image.Image:
    """Return the picture in another size; the same picture if the size is the same."""
    if image.size == size:
        return image
    # Sides that follow from proportions are cut to whole pixels, as in the Web UI.
    wide = image.width * size[1] // image.height, size[1]
    high = size[0], image.height * size[0] // image.width
    is_wider = image.width * size[1] >= image.height * size[0]
    match how:
        case Resize.STRETCH:
            return image.resize(size, _SMOOTH)
        case Resize.CROP:
            whole = image.resize(wide if is_wider else high, _SMOOTH)
            left, top = (a // 2 - b // 2 for a, b in zip(whole.size, size, strict=True))
            return whole.crop((left, top, left + size[0], top + size[1]))
        case Resize.FILL:
            small = high if is_wider else wide
            return _with_borders(image.resize((max(1, small[0]), max(1, small[1])), _SMOOTH), size)


def shrunk(size: Size, side: int) -> Size:
    """Return the size of the same proportions with no side longer than this."""
    return _within(size, (min(side, size[0]), min(side, size[1])))


def _within(size: Size, limit: Size) -> Size:
    """Return the largest size of the same proportions, a pixel at least."""
    scale = min(limit[0] / size[0], limit[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _with_borders(image: Image.Image, size: Size) -> Image.Image:
    """Centre the picture, with its outermost rows and columns drawn out to the edge."""
    wide, high = size[0] - image.width, size[1] - image.height
    before, above = size[0] // 2 - image.width // 2, size[1] // 2 - image.height // 2
    values = np.asarray(image)
    margins = [(above, high - above), (before, wide - before)] + [(0, 0)] * (values.ndim - 2)
    return Image.fromarray(np.pad(values, margins, mode="edge"))


def _area(mask: Image.Image, size: Size, *, invert: bool) -> Image.Image:
    area = _binary(mask.resize(size, _SMOOTH) if mask.size != size else mask)
    return ImageChops.invert(area) if invert else area


def _binary(mask: Image.Image) -> Image.Image:
    return mask.point([255 if value >= _THRESHOLD else 0 for value in range(256)])


def _around(area: Image.Image, size: Size, padding: int) -> Box | None:
    """Return the box round what is not black, widened to the size's proportions; None without."""
    box = area.getbbox()
    if box is None:
        return None
    left, right = max(0, box[0] - padding), min(area.width, box[2] + padding)
    top, bottom = max(0, box[1] - padding), min(area.height, box[3] + padding)
    if (right - left) * size[1] > (bottom - top) * size[0]:
        height = (right - left) * size[1] / size[0]
        top, bottom = _widened(top, bottom, height, area.height)
    else:
        width = (bottom - top) * size[0] / size[1]
        left, right = _widened(left, right, width, area.width)
    return left, top, right, bottom


def _widened(low: int, high: int, length: float, limit: int) -> tuple[int, int]:
    """Widen a span to a length in both directions, shifted to lie within 0 and the limit."""
    more = int(length - (high - low))
    low, high = low - more // 2, high + more - more // 2
    shift = min(0, limit - high)
    low, high = low + shift, high + shift
    return max(0, low), min(limit, high - min(0, low))


def _blurred(area: Image.Image, radii: tuple[int, int]) -> Image.Image:
    """Blur by a Gaussian of a width of its own from left to right and from top to bottom."""
    values = np.asarray(area)
    for axis, radius in zip((1, 0), radii, strict=True):
        if radius:
            values = np.apply_along_axis(_smoothed, axis, values, radius)
    return Image.fromarray(values)


def _smoothed(line: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    reach = int(_KERNEL * radius + 0.5)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * radius**2))
    longer = np.pad(line, reach, mode="reflect" if len(line) > 1 else "edge")
    smooth = np.convolve(longer, kernel / kernel.sum(), mode="valid")
    return smooth.round().astype(np.uint8)


def _feathered(area: Image.Image, blur: tuple[int, int]) -> Image.Image:
    """Soften to the inside only: pixels outside the mask are not touched."""
    if not any(blur) or area.getbbox() is None:
        return area
    soft = area.filter(ImageFilter.GaussianBlur(blur))
    _, highest = soft.getextrema()
    # A blur has half its height at an edge: what is below that lies outside, and is cut away. By a
    # table, for the picture may have millions of pixels.
    inside = np.clip(2 * np.arange(256) / highest - 1, 0, 1) * 255
    return ImageChops.darker(soft.point(inside.round().astype(int).tolist()), area)


def _spread_colours(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Fill the masked part with its surroundings' colours: far ones first, near ones over them."""
    # RGBa has the colours multiplied by their opacity, so the hidden ones do not bleed in.
    known = Image.new("RGBa", image.size)
    known.paste(image.convert("RGBA").convert("RGBa"), mask=ImageChops.invert(mask))
    spread = Image.new("RGBA", image.size)
    for radius, times in _SPREADS:
        layer = known.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            spread.alpha_composite(layer)
    return spread.convert("RGB")
