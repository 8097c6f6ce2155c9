"""Transparency of pictures: where a mask is drawn, and the colours under what is not seen."""

import numpy as np
from PIL import Image, ImageFilter

_SEEN = 16
"""Least opacity of a pixel with a colour of its own; of fainter ones little of it is kept."""
_GREY = 16  # most difference between the channels of grey
_EDGE = 32  # from black or white, within which a pixel is one of them
_MOSTLY = 0.9
"""Least share of black and white pixels in a mask that is drawn in colours."""
_HALF = 128
_RADII = (8, 2)
_STRIP = 64  # rows


def drawing(mask: Image.Image) -> Image.Image:
    """Return the channel in which a mask is drawn, as greys: white where to paint.

    Of a mask with transparency it is its colours if what is seen of them is black and white, both;
    otherwise it is its opacity, as in a drawing on a transparent ground.
    """
    if mask.mode != "RGBA":
        return mask.convert("L")
    alpha = mask.getchannel("A")
    if not _is_black_and_white(mask):
        return alpha
    flat = Image.new("L", mask.size)
    seen = alpha.point([255 if opacity >= _SEEN else 0 for opacity in range(256)])
    flat.paste(mask.convert("L"), mask=seen)
    return flat


def bled(image: Image.Image) -> Image.Image:
    """Return the colours of an RGBA picture, with those next to it where it is not seen at all.

    Whatever a program left under transparent parts would else come out at the edges.
    """
    seen = image.getchannel("A").point([0] + [255] * 255)
    # RGBa has the colours multiplied by their opacity, so the hidden ones do not bleed in.
    whole = image.convert("RGBa")
    layer = Image.new("RGB", image.size, "gray")
    for radius in _RADII:
        near = whole.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        layer.paste(near.convert("RGB"), mask=near.getchannel("A").point([0] + [255] * 255))
    layer.paste(image.convert("RGB"), mask=seen)
    return layer


def _is_black_and_white(mask: Image.Image) -> bool:
    """Tell whether the seen colours are nearly all black or white, with both among them.

    By strips, for a large mask would take many times its size.
    """
    seen = extreme = dark = light = 0
    for top in range(0, mask.height, _STRIP):
        strip = mask.crop((0, top, mask.width, min(top + _STRIP, mask.height)))
        values = np.asarray(strip)
        colours = values[values[..., 3] >= _SEEN, :3]
        greys = colours[np.ptp(colours, axis=-1) <= _GREY, 0]
        seen += len(colours)
        extreme += int(np.count_nonzero((greys < _EDGE) | (greys >= 256 - _EDGE)))
        dark += int(np.count_nonzero(greys < _HALF))
        light += int(np.count_nonzero(greys >= _HALF))
    return dark > 0 and light > 0 and extreme >= _MOSTLY * seen
