"""Pictures of every depth, palette and transparency come out in eight bits, upright."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deployments.runtimes.diffusers.decoding import decoded
from models.errors import InputRefused
from tests.runtimes.diffusers.conftest import noise

MEGABYTES = 1_500_000


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + body) if checksum is None else checksum
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", right)


def with_chunk(picture: bytes, more: bytes) -> bytes:
    """Put a chunk after a PNG file's first one, which has 33 bytes with the signature."""
    return picture[:33] + more + picture[33:]


def two(width: int = 16, height: int = 8) -> Image.Image:
    """Make a picture that is blue on its left half and red on its right one."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (0, 0, width // 2, height))
    return image


def held(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


GREY = np.repeat(np.arange(0, 256, 17, dtype=np.uint8)[None], 8, axis=0)
"""Eight rows of sixteen greys, from black to white."""


def greys(values: NDArray[Any], form: str = "TIFF") -> bytes:
    return saved(Image.fromarray(values), form)


@pytest.mark.parametrize(
    "data",
    [
        greys(GREY, "PNG"),
        greys(GREY.astype(np.uint16) * 257, "PNG"),
        greys(GREY.astype(np.uint16) * 257),
        greys(GREY.astype(np.int32) * 257),
        greys(GREY.astype(np.int32)),
        greys((GREY / 255).astype(np.float32)),
        greys(GREY.astype(np.float32)),
        saved(Image.fromarray(GREY).convert("P")),
        saved(Image.fromarray(GREY).convert("RGB"), "BMP"),
        saved(Image.fromarray(GREY), "WEBP", lossless=True),
        saved(Image.fromarray(GREY), "TIFF", compression="tiff_lzw"),
    ],
    ids=["8", "16", "TIFF 16", "32", "8 in 32", "0 to 1", "0 to 255", "P", "BMP", "WebP", "LZW"],
)
def test_every_depth_gives_the_same_picture(data: bytes) -> None:
    image = decoded(data)

    assert image.mode == "RGB"
    assert (np.asarray(image) == GREY[..., None]).all()


def test_what_is_brighter_than_white_is_white_and_darkens_nothing() -> None:
    values = np.array([[0.0, 0.5, 1.0, 1.2, 9.5]], np.float32)

    image = decoded(greys(values))

    assert np.asarray(image)[0, :, 0].tolist() == [0, 128, 255, 255, 255]


def test_a_picture_of_sixteen_bits_is_as_its_copy_of_eight() -> None:
    disc = np.hypot(*(np.mgrid[:64, :64] - 32)) < 20
    image = decoded(greys(np.where(disc, 40_000, 12_000).astype(np.uint16), "PNG"))

    assert (np.asarray(image)[..., 0] == np.where(disc, 156, 46)).all()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.full((4, 4), 70_000, np.int32), "its values go from 70000 to 70000"),
        (np.full((4, 4), 300.0, np.float32), "its values go from 300 to 300"),
        (np.array([[0, np.nan]], np.float32), "NaN"),
        (np.array([[0, np.inf]], np.float32), "infinite"),
    ],
)
def test_what_has_no_known_white_is_refused(values: NDArray[Any], why: str) -> None:
    with pytest.raises(InputRefused, match=why):
        decoded(greys(values))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_mode_without_transparency_is_rgb(mode: str) -> None:
    data = saved(two().convert(mode), "JPEG" if mode in ("CMYK", "YCbCr") else "PNG")

    assert decoded(data).mode == "RGB"


def keyed(values: NDArray[Any], key: Any) -> bytes:
    return saved(Image.fromarray(values), transparency=key)


@pytest.mark.parametrize(
    "data",
    [
        saved(Image.merge("RGBA", (*two().split(), two().getchannel("R")))),
        saved(Image.merge("LA", (two().convert("L"), two().getchannel("R")))),
        saved(two().convert("P", palette=Image.Palette.ADAPTIVE, colors=2), transparency=0),
        keyed(np.asarray(two()), (0, 0, 255)),
        keyed(np.asarray(two().getchannel("R")), 0),
        keyed(np.asarray(two().getchannel("R"), np.uint16) * 200, 0),
        saved(Image.merge("RGBA", (*two().split(), two().getchannel("R"))), "WEBP", lossless=True),
    ],
    ids=["RGBA", "LA", "P", "RGB", "L", "I;16", "WebP"],
)
def test_transparency_of_every_kind_becomes_an_alpha_channel(data: bytes) -> None:
    image = decoded(data)
    alpha = np.asarray(image.getchannel("A"))

    assert image.mode == "RGBA"
    assert sorted({int(alpha[0, 0]), int(alpha[0, 15])}) == [0, 255]
    assert {*alpha.flat} == {0, 255}


def test_a_colour_of_sixteen_bits_may_be_the_transparent_one() -> None:
    rows = b"".join(b"\0" + b"\x12\x34" * 3 * 4 for _ in range(4))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    key = chunk(b"tRNS", b"\x12\x34" * 3)
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

    assert decoded(b"\x89PNG\r\n\x1a\n" + head + key + body).getchannel("A").getextrema() == (0, 0)


def test_what_is_all_opaque_has_no_alpha_channel() -> None:
    assert decoded(saved(two().convert("RGBA"))).mode == "RGB"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_camera_was_held(form: str, orientation: int) -> None:
    image = decoded(saved(two(32, 16), form, exif=held(orientation)))
    width, height = image.size
    left, right = image.getpixel((2, height // 2)), image.getpixel((width - 3, height // 2))
    top, bottom = image.getpixel((width // 2, 2)), image.getpixel((width // 2, height - 3))
    blue = {1: left, 2: right, 3: right, 4: left, 5: top, 6: top, 7: bottom, 8: bottom}[orientation]

    assert image.size == ((32, 16) if orientation < 5 else (16, 32))
    assert isinstance(blue, tuple)
    assert blue[2] > 200
    assert blue[0] < 60


EXIF = held(6).tobytes()
XMP = b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="6"/>'


@pytest.mark.parametrize(
    ("more", "is_turned"),
    [
        (chunk(b"eXIf", EXIF[6:]), True),
        (chunk(b"eXIf", str(EXIF).encode()), False),
        (chunk(b"eXIf", EXIF[6:12]), False),
        (chunk(b"eXIf", b""), False),
        (chunk(b"eXIf", EXIF[6:], checksum=1), False),
        (chunk(b"iTXt", XMP), True),
        (chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(MEGABYTES))), False),
        (chunk(b"iCCP", b"broken"), False),
        (chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(MEGABYTES))), False),
        (chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(MEGABYTES))), False),
        (chunk(b"zTXt", b"Raw profile type exif\0\0broken"), False),
        (chunk(b"tEXt", b"parameters\0" + b"a" * MEGABYTES), False),
        (chunk(b"tEXt", b"a\0b", checksum=1), False),
        (chunk(b"gAMA", b""), False),
        (chunk(b"pHYs", b"x") * 20_000, False),
    ],
)
def test_no_metadata_makes_a_picture_unreadable(more: bytes, is_turned: bool) -> None:
    image = decoded(with_chunk(saved(two()), more))
    plain = two().transpose(Image.Transpose.ROTATE_270) if is_turned else two()

    assert image.size == plain.size
    assert (np.asarray(image) == np.asarray(plain)).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_colour_profile_may_have_any_size(form: str) -> None:
    image = decoded(saved(two(), form, icc_profile=bytes(MEGABYTES)))

    assert abs(np.asarray(image, np.int16) - np.asarray(two(), np.int16)).mean() < 20


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("broken", [cut, lambda data: data[:40], lambda data: data[:8]])
def test_a_picture_that_is_cut_short_is_refused(
    form: str, broken: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(InputRefused, match="it is not a picture"):
        decoded(broken(saved(noise(64, 64), form)))


def test_a_broken_picture_is_refused_with_the_class_and_the_words_of_the_error() -> None:
    with pytest.raises(InputRefused, match=r"can be read \(OSError: .*truncated") as refused:
        decoded(cut(saved(noise(64, 64), "JPEG")))

    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("form", ["EPS", "PPM", "TGA", "ICNS", "PCX", "SGI"])
def test_a_format_that_is_not_listed_is_not_opened(form: str) -> None:
    with pytest.raises(InputRefused, match="send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF file"):
        decoded(saved(two(64, 64), form))
