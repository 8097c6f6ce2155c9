"""Small things that become large ones: refused before they do. Servers and reader are real."""

import gzip
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from deployments.inputs.fetch import Inputs
from ingest.memory import MemoryObjects
from models.errors import InputRefused
from models.settings.groups import Inputs as Limits
from tests.deployments.web import Names, answer, serving

MAX_BYTES, MAX_PIXELS = 1_000_000, 4_000_000
MOST_MEMORY = 30_000_000
"""Bytes that one fetch of any of them may take, for a body of `MAX_BYTES` at most."""


@dataclass(frozen=True)
class Bomb:
    """An answer of a server, and a part of the reason with which its link is refused."""

    answer: Callable[[], Any]
    why: str


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes = b"", *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + data + chunk(b"IEND", b"")


def saved(form: str, size: tuple[int, int], mode: str = "1", **options: Any) -> bytes:
    data = io.BytesIO()
    Image.new(mode, size).save(data, form, **options)
    return data.getvalue()


def packed(times: int, size: int = 100_000_000) -> bytes:
    """Pack ``size`` zero bytes by gzip, and the result again, ``times`` in all."""
    body = bytes(size)
    for _ in range(times):
        body = gzip.compress(body, 9)
    return body


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6) + b";"


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def tiff(width: int, height: int) -> bytes:
    """Return a TIFF's directory alone: the pixels would be in a strip that is not there."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: 1}
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + bytes(4)


def webp(width: int, height: int) -> bytes:
    sizes = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sizes
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gzipped(body: bytes, encoding: str = "gzip") -> bytes:
    return answer(body, Content_Encoding=encoding)


def endless(part: bytes) -> list[Any]:
    """A body without an end, in chunks."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    one = f"{len(part):x}\r\n".encode() + part + b"\r\n"
    return [head, *([one] * 400)]


LARGE = "larger than 1000000 bytes"
PIXELS = "more than 4000000"
NO_PICTURE = "it is not a picture"
SLOW = "it took over 1 s"

BOMBS: Mapping[str, Bomb] = {
    "a body that says its size": Bomb(lambda: answer(Content_Length=10**15), LARGE),
    "a body that says no size": Bomb(lambda: [endless(bytes(65_536))], LARGE),
    "a body that says a small size": Bomb(
        lambda: answer(bytes(10), Content_Length=MAX_BYTES * 5), LARGE
    ),
    "a body of single bytes": Bomb(lambda: [[answer(Content_Length=9), *[0.2, b"x"] * 9]], SLOW),
    "a head without an end": Bomb(
        lambda: [[b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n" * 9_999] * 30]], "did not answer properly"
    ),
    "a head that does not come": Bomb(lambda: [[30.0]], SLOW),
    "a head by letters": Bomb(lambda: [[*(0.2, b"H") * 30]], SLOW),
    "gzip of 100 MB": Bomb(lambda: gzipped(packed(1)), LARGE),
    "gzip of gzip": Bomb(lambda: gzipped(packed(2)), NO_PICTURE),
    "gzip of gzip, said so": Bomb(lambda: gzipped(packed(2), "gzip, gzip"), "encoded as"),
    "deflate of 100 MB": Bomb(
        lambda: gzipped(zlib.compress(bytes(100_000_000), 9), "deflate"), LARGE
    ),
    "many gzip members": Bomb(lambda: gzipped(gzip.compress(b"") * 20_000), "it is empty"),
    "brotli": Bomb(lambda: gzipped(b"\x8f\x7f\x80", "br"), "encoded as 'br'"),
    "zstandard": Bomb(lambda: gzipped(b"\x28\xb5\x2f\xfd", "zstd"), "encoded as 'zstd'"),
    "an encoding of a mile": Bomb(lambda: gzipped(b"x", "x" * 9_000), "encoded as"),
    "a zip": Bomb(lambda: answer(b"PK\x03\x04" + bytes(1_000)), NO_PICTURE),
    "PNG of 60,000 by 60,000": Bomb(lambda: answer(png(60_000, 60_000)), PIXELS),
    "PNG of 2^31 by 2^31": Bomb(lambda: answer(png(2**31 - 1, 2**31 - 1)), PIXELS),
    "PNG of 2^32 by 1": Bomb(lambda: answer(png(2**32 - 1, 1)), PIXELS),
    "PNG without an extent": Bomb(lambda: answer(png(0, 0)), NO_PICTURE),
    "PNG that unpacks to 100 MB": Bomb(lambda: answer(png(2_100, 2_100, bytes(10**8))), PIXELS),
    "PNG of one bit": Bomb(lambda: answer(saved("PNG", (20_000, 20_000))), PIXELS),
    "GIF of 65,535 by 65,535": Bomb(lambda: answer(gif(65_535, 65_535)), NO_PICTURE),
    "BMP of 2^31 by 2^31": Bomb(lambda: answer(bmp(2**31 - 1, 2**31 - 1)), PIXELS),
    "BMP upside down": Bomb(lambda: answer(bmp(60_000, -60_000)), PIXELS),
    "TIFF of 2^31 by 2^31": Bomb(lambda: answer(tiff(2**31 - 1, 2**31 - 1)), PIXELS),
    "WebP of 2^24 by 2^24": Bomb(lambda: answer(webp(2**24, 2**24)), PIXELS),
    "PostScript": Bomb(lambda: answer(b"%!PS-Adobe-3.0 EPSF-3.0\n"), NO_PICTURE),
    "SVG": Bomb(lambda: answer(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), NO_PICTURE),
    "XML that names itself": Bomb(
        lambda: answer(b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaa'>]><svg>&a;</svg>"),
        NO_PICTURE,
    ),
    "an icon": Bomb(lambda: answer(b"\0\0\1\0\1\0" + bytes(16)), NO_PICTURE),
    "a page": Bomb(lambda: answer(b"<html>" + b"x" * 1_000), NO_PICTURE),
}


METADATA = {
    "text": chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8), 9)),
    "a profile": chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8), 9)),
    "international text": chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(10**8), 9)),
    "50,000 chunks": chunk(b"tEXt", b"a\0b") * 50_000,
}
"""Chunks of a picture that is small and good besides."""


def opened() -> Inputs:
    limits = Limits.model_validate(
        {
            "allowHosts": ("site.test",),
            "maxBytes": MAX_BYTES,
            "maxPixels": MAX_PIXELS,
            "timeoutSeconds": 1,
        }
    )
    return Inputs(limits, MemoryObjects(), frozenset(), resolve=Names())


async def fetched(page: Any) -> str:
    """The refusal of what a server answers, empty where it is a picture; without much memory."""
    reader, told = opened(), ""
    async with serving(answer(), a=page if isinstance(page, list) else [page]) as site:
        tracemalloc.start()
        try:
            await reader.fetch([site.url("/a")])
        except InputRefused as exc:
            told = str(exc)
        finally:
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            await reader.close()
    assert most < MOST_MEMORY
    return told


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
async def test_it_does_not_go_off(bomb: Bomb) -> None:
    told = await fetched(bomb.answer())

    assert bomb.why in told
    assert len(told) < 600
    assert "object at 0x" not in told


@pytest.mark.parametrize("chunks", METADATA.values(), ids=METADATA.keys())
async def test_metadata_is_not_unpacked_without_an_end(chunks: bytes) -> None:
    rows = (b"\0" + bytes(3 * 8)) * 8

    told = await fetched(answer(png(8, 8, rows, chunks)))

    assert told == "" or NO_PICTURE in told
