"""Source image of image-to-image: fitted to the requested size, with the part to repaint."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # the name everyone knows it by
from PIL import Image, ImageChops, ImageFilter, ImageOps

from deployments.runtimes.diffusers.limits import Size
from models.runtimes.diffusers.generation_requests import ImageToImage

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""

_THRESHOLD = 128  # of a mask's brightness
_SMOOTH = Image.Resampling.LANCZOS
_BLUR_RADII = (64, 32, 16, 8, 4, 2)


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
    """White where to paint, of the view's size."""
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
        view = painted.resize((right - left, bottom - top), _SMOOTH)
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
        """Make a mask of 1 x 1 x ``shape``: 1 for each latent of which any pixel is repainted.

        Pixels that are too much are restored when the picture is finished.
        """
        if self.repaint is None:
            return torch.ones(1, 1, *shape)
        area = torch.from_numpy(np.array(self.repaint.mask))[None, None].float()
        return (F.adaptive_max_pool2d(area, (shape[0], shape[1])) > 0).float()

    @property
    def filled(self) -> Image.Image:
        """View with its surroundings' colours spread into the part to repaint."""
        return _spread_colours(self.view, self.repaint.mask) if self.repaint else self.view


def fit_source(
    request: ImageToImage, image: Image.Image, mask: Image.Image | None, size: Size
) -> SourceImage:
    """Fit the picture; with a mask, in greys, to the part of it that the request repaints."""
    if mask is None:
        return SourceImage(fitted(image, size, Resize(request.resize_mode)))
    area = _area(mask, image.size, invert=request.inpainting_mask_invert)
    box = _around(area, size, request.inpaint_full_res_padding)
    if request.inpaint_full_res and box:
        whole = image
    else:
        whole = fitted(image, size, Resize(request.resize_mode))
        area = _binary(fitted(area, size, Resize(request.resize_mode)))
        box = (0, 0, *size)
    repaint = Repaint(
        mask=_binary(area.crop(box).resize(size, _SMOOTH)),
        whole=whole,
        box=box,
        seam=_feathered(area, request.feather),
    )
    return SourceImage(whole.crop(box).resize(size, _SMOOTH), repaint)


def fitted(image: Image.Image, size: Size, how: Resize) -> Image.Image:
    """Return the picture in another size; the same picture if the size is the same."""
    if image.size == size:
        return image
    match how:
        case Resize.STRETCH:
            return image.resize(size, _SMOOTH)
        case Resize.CROP:
            return ImageOps.fit(image, size, _SMOOTH)
        case Resize.FILL:
            return _with_borders(image.resize(_within(image.size, size), _SMOOTH), size)


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
    before, above = wide // 2, high // 2
    values = np.asarray(image)
    margins = [(above, high - above), (before, wide - before)] + [(0, 0)] * (values.ndim - 2)
    return Image.fromarray(np.pad(values, margins, mode="edge"))


def _area(mask: Image.Image, size: Size, *, invert: bool) -> Image.Image:
    area = _binary(mask.resize(size, _SMOOTH) if mask.size != size else mask)
    return ImageChops.invert(area) if invert else area


def _binary(mask: Image.Image) -> Image.Image:
    return mask.point([255 if value >= _THRESHOLD else 0 for value in range(256)])


def _around(area: Image.Image, size: Size, padding: int) -> Box | None:
    """Return the box round the white part, widened to the size's proportions; None without one."""
    box = area.getbbox()
    if box is None:
        return None
    width = min(box[2] - box[0] + 2 * padding, area.width)
    height = min(box[3] - box[1] + 2 * padding, area.height)
    width = min(max(width, round(height * size[0] / size[1])), area.width)
    height = min(max(height, round(width * size[1] / size[0])), area.height)
    left = _clamped((box[0] + box[2] - width) // 2, width, area.width)
    top = _clamped((box[1] + box[3] - height) // 2, height, area.height)
    return left, top, left + width, top + height


def _clamped(start: int, length: int, limit: int) -> int:
    return max(0, min(start, limit - length))


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
    known = ImageChops.invert(mask)
    layer = image.convert("RGBA")
    layer.putalpha(known)
    spread = Image.new("RGBA", image.size, "gray")
    for radius in _BLUR_RADII:
        spread.alpha_composite(_blurred(layer, radius))
    return Image.composite(image, spread.convert("RGB"), known)


def _blurred(layer: Image.Image, radius: int) -> Image.Image:
    """Blur with the colours weighted by their opacity, and opaque where any reaches."""
    # RGBa has the colours multiplied by their opacity, so the hidden ones do not bleed in.
    soft = layer.convert("RGBa").filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
    soft.putalpha(soft.getchannel("A").point([min(255, 4 * value) for value in range(256)]))
    return soft
