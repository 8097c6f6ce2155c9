"""Decoding of pictures to eight bits a channel: every depth, palette and kind of transparency."""

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from deployments.inputs.pictures import opened
from models.errors import InputRefused

Turn = Image.Transpose

_TURNS = {
    2: Turn.FLIP_LEFT_RIGHT,
    3: Turn.ROTATE_180,
    4: Turn.FLIP_TOP_BOTTOM,
    5: Turn.TRANSPOSE,
    6: Turn.ROTATE_270,
    7: Turn.TRANSVERSE,
    8: Turn.ROTATE_90,
}
"""Ways to turn a picture, by how EXIF says that the camera was held."""
_BRIGHTEST = 16
"""Largest value of fractions: 255 as white would leave no picture but darkness below it."""
_EIGHT_BITS, _SIXTEEN_BITS = 2**8 - 1, 2**16 - 1


def decoded(data: bytes) -> Image.Image:
    """Decode a picture: RGB, or RGBA if any of it is transparent; upright.

    Raises:
        InputRefused: it is no picture, or a broken one, or nobody can say what its white is.
    """
    with opened(data) as image:
        image.load()
        return _upright(image, _eight_bits(image))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring a loaded picture to RGB or RGBA of eight bits a channel."""
    if image.mode[0] in "IF":  # whole numbers of 16 or 32 bits, or fractions
        plain = _scaled(image)
    elif image.has_transparency_data:
        plain = _with_eight_bit_key(image).convert("RGBA")
    else:
        plain = image if image.mode == "RGB" else image.convert("RGB")
    if plain.mode == "RGBA" and plain.getchannel("A").getextrema() == (255, 255):
        return plain.convert("RGB")
    return plain


def _scaled(image: Image.Image) -> Image.Image:
    """Bring one channel of more than eight bits to RGB, or to RGBA if one value is transparent."""
    values = np.asarray(image)
    grey = Image.fromarray(_to_bytes(values, sixteen=image.mode.startswith("I;16")))
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey.convert("RGB")
    alpha = Image.fromarray(np.where(values == key, 0, _EIGHT_BITS).astype(np.uint8))
    return Image.merge("RGBA", (grey, grey, grey, alpha))


def _to_bytes(values: NDArray[np.generic], *, sixteen: bool) -> NDArray[np.uint8]:
    """Scale values to 0 to 255.

    Of 32 bits only the values tell what white is: 1 for fractions, else that of 8 or 16 bits.
    """
    if not np.isfinite(values).all():
        raise InputRefused("it has values that are no numbers (NaN or infinite)")
    low, high = values.min(), values.max()
    if sixteen or (values.dtype.kind != "f" and _EIGHT_BITS < high <= _SIXTEEN_BITS):
        # The high byte, as Pillow takes it from pictures in colour.
        high_byte = np.clip(values, 0, _SIXTEEN_BITS).astype(np.uint16) >> 8
        return np.asarray(high_byte, np.uint8)
    if high > _EIGHT_BITS:
        raise InputRefused(
            f"its values go from {low:g} to {high:g}, and what is white is not known: "
            "send it with 8 or 16 bits a channel"
        )
    scale = _EIGHT_BITS if _are_fractions(values) else 1
    return np.asarray(np.clip(np.rint(values * scale), 0, _EIGHT_BITS), np.uint8)


def _are_fractions(values: NDArray[np.generic]) -> bool:
    """Tell whether 1 is white: a picture of high dynamic range has brighter spots, too."""
    if values.dtype.kind != "f" or values.max() > _BRIGHTEST:
        return False
    return bool(values.max() <= 1 or (values != np.rint(values)).any())


def _with_eight_bit_key(image: Image.Image) -> Image.Image:
    """Bring the colour that is transparent to eight bits, as Pillow did with the pixels."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > _EIGHT_BITS:
        image.info["transparency"] = tuple(value >> 8 for value in key)
    return image


def _upright(image: Image.Image, plain: Image.Image) -> Image.Image:
    """Turn a picture as its camera was held; not at all where that cannot be read."""
    try:
        held = image.getexif().get(ExifTags.Base.Orientation)
        turn = _TURNS.get(held) if isinstance(held, int) else None
    except Exception:  # noqa: BLE001 - metadata may be anything, and is no reason to refuse
        return plain
    return plain if turn is None else plain.transpose(turn)
