"""Mutated pictures are read, or refused in few words: nothing else comes of them."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from deployments.inputs.pictures import check_picture
from deployments.runtimes.diffusers.decoding import decoded
from models.errors import InputRefused
from models.settings.groups import Inputs
from tests.fuzz.bounds import bounds, check_words

LIMITS = Inputs.model_validate({"maxPixels": 250_000})
LONGEST = 400  # characters of a refusal


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def whole_pictures() -> Iterator[bytes]:
    """Yield small pictures of every format and mode, with metadata and without."""
    values = np.random.default_rng(7).integers(0, 256, (17, 24), dtype=np.uint8)
    noise = Image.fromarray(values)
    colours = Image.merge(
        "RGB", (noise, noise.rotate(180), noise.point([255 - n for n in range(256)]))
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    for form in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF"):
        yield saved(colours, form, exif=exif)
        yield saved(noise, form, icc_profile=bytes(300))
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        yield saved(colours.convert("L").convert(mode), "PNG")
    for mode in ("1", "L", "P"):
        yield saved(colours.convert(mode), "GIF")
        yield saved(colours.convert(mode), "BMP")
    yield saved(colours, "BMP")
    yield saved(colours, "GIF", save_all=True, append_images=[noise.convert("RGB")])
    yield saved(colours, "PNG", save_all=True, append_images=[noise.convert("RGB")])
    yield saved(colours, "MPO", save_all=True, append_images=[noise.convert("RGB")])
    yield saved(colours.convert("CMYK"), "JPEG")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield saved(colours, "TIFF", compression=compression)
    for depth in (np.int32, np.float32, np.uint16):
        yield saved(Image.fromarray(values.astype(depth)), "TIFF")
    for mode in ("RGBA", "LA", "CMYK", "YCbCr", "LAB"):
        yield saved(colours.convert("RGB").convert(mode) if mode != "LAB" else lab(), "TIFF")


def lab() -> Image.Image:
    return Image.merge("LAB", (Image.new("L", (9, 9), 120),) * 3)


WHOLE = list(whole_pictures())
Edit = tuple[str, float, int]
edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "cut", "drop", "twice", "count", "swap"]),
        st.floats(0, 1),
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=6,
)


def edited(data: bytes, edit: Edit) -> bytes:
    """Change a file at a place, given as a share of its length."""
    how, share, number = edit
    at = int(share * (len(data) - 1))
    end = at + 1 + number % 16
    before, part, after = data[:at], data[at:end], data[end:]
    made = {
        "set": before + bytes([number % 256]) + data[at + 1 :],
        "flip": before + bytes([data[at] ^ (1 << number % 8)]) + data[at + 1 :],
        "cut": before,
        "drop": before + after,
        "twice": before + part + part + after,
        # A number of four bytes, as the lengths and sides of most formats.
        "count": before + struct.pack("<>"[number % 2] + "I", number) + data[at + 4 :],
        "swap": before + part[::-1] + after,
    }
    return made[how] or data


def checked(data: bytes) -> bytes:
    """Give each chunk of a PNG file its right checksum, so that more than checksums is tried."""
    at, parts = 8, [data[:8]]
    while at + 12 <= len(data):
        length = min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        body = data[at + 4 : at + 8 + length]
        parts.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join([*parts, data[at:]])


@pytest.mark.filterwarnings("ignore")
@given(st.sampled_from(WHOLE), edits, st.booleans())
@bounds(500, times=25)
def test_a_mutated_picture_is_read_or_refused(
    whole: bytes,
    changes: list[Edit],
    is_checked: bool,
) -> None:
    data = whole
    for edit in changes:
        data = edited(data, edit)
    if is_checked and data.startswith(b"\x89PNG"):
        data = checked(data)
    try:
        check_picture(data, LIMITS)
        image = decoded(data)
    except InputRefused as exc:
        refusal = str(exc)
        check_words(refusal)
    else:
        refusal = ""
        assert image.mode in ("RGB", "RGBA")
        assert 0 < image.width * image.height <= LIMITS.max_pixels

    assert len(refusal) < LONGEST


def test_none_of_them_is_refused_unchanged() -> None:
    for data in WHOLE:
        check_picture(data, LIMITS)
        decoded(data)
