"""Pictures of links and of contents pass one gate: a known format, a bounded size."""

import base64
import struct

import pytest

from deployments.inputs.pictures import inline_bytes, standard_inline
from models.errors import InputRefused
from tests.deployments.inputs.fetching import (
    PNG,
    huge_png,
    inline,
    opened,
    pictures,
    png,
    refusal,
)
from tests.deployments.web import answer

TYPED = [
    (b"glTF\2" + bytes(40), "3D models are not taken (model/gltf-binary): send a PNG"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "of a format that is taken (image/svg+xml)"),
    (b"\x76\x2f\x31\x01" + bytes(40), "a format that is taken (image/x-exr): send a PNG"),
    (b"PK\3\4" + bytes(40), "it is not a picture: send a PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"),
    (b"PK\3\4" + bytes(40), "(this is application/zip)"),
    (b'{"asset": {"version": "2.0"}}', "(this is application/json)"),
    (b"ply\nformat ascii 1.0\n", "(this is text/plain)"),
]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b"<html>sign in</html>", "it is not a picture"),
        (b"\x00\x01\x02\x03", "it is not a picture"),
        (PNG[:20], "it is not a picture"),
        *TYPED,
        (huge_png(9_000, 9_000), "81000000 pixels"),
        (huge_png(60_000, 60_000), "more than 64000000"),
    ],
)
async def test_what_is_no_picture_of_a_size_that_can_be_drawn_is_refused(
    body: bytes, why: str
) -> None:
    async with pictures(a=[answer(body)]) as site:
        told = await refusal(site.url("/a"))

    assert why.replace("81000000 pixels", "9000 x 9000 pixels, more than 64000000") in told


async def test_sound_and_video_are_let_through() -> None:
    video = struct.pack(">I", 24) + b"ftypisom" + bytes(4) + b"isommp41" + bytes(40)
    async with pictures(a=[answer(video)]) as site, opened() as inputs:
        assert await inputs.fetch([site.url("/a")]) == {site.url("/a"): video}


async def test_a_picture_of_the_content_passes_the_same_gate() -> None:
    async with opened() as inputs:
        await inputs.check({inline(PNG): "mask", f"data:image/png;base64,{inline(PNG)}": "image"})


ODD = png((9, 7))
"""Picture whose base64 has both letters that the alphabets differ in, and padding."""


@pytest.mark.parametrize("urlsafe", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", " data:image/x-png;base64,"])
async def test_base64_of_either_alphabet_is_taken_padded_or_not(
    urlsafe: bool, padding: int, prefix: str
) -> None:
    data = ODD + b"\xff\xfe\xfb\xef" * 12
    data += bytes(-len(data) % 3 + (3 - padding) % 3)
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(data).decode()
    assert text.count("=") == padding
    assert ("_" in text) == urlsafe

    for given in (text, text.rstrip("="), "\n".join(text[i : i + 76] for i in range(0, 999, 76))):
        assert inline_bytes(prefix + given) == data
        assert base64.b64decode(standard_inline(prefix + given).rpartition(",")[2]) == data
        async with opened() as inputs:
            await inputs.check({prefix + given: "mask"})


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA=A", "=", "AA.A", "AA%3D", "\xe4AAA"])
def test_what_is_no_base64_of_any_alphabet_is_refused(text: str) -> None:
    with pytest.raises(InputRefused, match="neither base64"):
        inline_bytes(text)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "it is not a picture: send a PNG"),
        (b"P6 8 8 255 " + bytes(192), "it is not a picture: send a PNG"),
        (huge_png(9_000, 9_000), "9000 x 9000 pixels, more than 64000000 (inputs.maxPixels)"),
        (huge_png(60_000, 60_000), "more than 64000000 pixels (inputs.maxPixels)"),
        (PNG + bytes(30_000), "larger than 20000 bytes (inputs.maxBytes)"),
        (b"", "it is empty"),
    ],
    ids=["EPS", "PPM", "large", "huge", "long", "empty"],
)
async def test_a_picture_of_the_content_is_refused_by_its_field(data: bytes, why: str) -> None:
    async with opened(maxBytes=20_000) as inputs:
        with pytest.raises(InputRefused) as refused:
            await inputs.check({inline(data): "init_images[0]"})

    assert str(refused.value).startswith("init_images[0]: it")
    assert why in str(refused.value)


async def test_what_is_no_base64_is_said_to_be_none() -> None:
    async with opened() as inputs:
        with pytest.raises(InputRefused, match=r"mask: it is neither base64 \(.*\) nor a link"):
            await inputs.check({"my photo.png": "mask"})
