"""Media types, told by the bytes alone."""

import io
import json
import struct
import wave
from typing import Any

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from deployments.media_types import named, sniff
from models.errors import TaskFailed


def picture(kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(data, kind, **options)
    return data.getvalue()


def sound() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100))
    return data.getvalue()


def boxes(brand: bytes, *compatible: bytes) -> bytes:
    """The file type box that every file of the MP4 family starts with."""
    body = brand + bytes(4) + b"".join(compatible)
    return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + bytes(64)


def matroska(document: bytes) -> bytes:
    fields = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08"
    body = fields + b"\x42\x82" + bytes([0x80 | len(document)]) + document
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(body)]) + body + bytes(64)


def apng() -> bytes:
    frame = Image.new("RGB", (16, 16), "red")
    return picture("PNG", save_all=True, append_images=[frame])


def glb() -> bytes:
    body = b'{"asset":{"version":"2.0"}} '
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(body))
    return head + struct.pack("<I", len(body)) + b"JSON" + body


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
SAMPLES = [
    (picture("PNG"), "image/png", ".png"),
    (apng(), "image/png", ".png"),
    (picture("JPEG"), "image/jpeg", ".jpg"),
    (picture("WEBP"), "image/webp", ".webp"),
    (picture("GIF"), "image/gif", ".gif"),
    (picture("BMP"), "image/bmp", ".bmp"),
    (picture("TIFF"), "image/tiff", ".tiff"),
    (picture("AVIF"), "image/avif", ".avif"),
    (b"\x76\x2f\x31\x01\x02\0\0\0channels\0", "image/x-exr", ".exr"),
    (SVG, "image/svg+xml", ".svg"),
    (b'<?xml version="1.0"?>\n' + SVG, "image/svg+xml", ".svg"),
    (boxes(b"isom", b"isom", b"iso2", b"avc1", b"mp41"), "video/mp4", ".mp4"),
    (boxes(b"qt  ", b"qt  "), "video/quicktime", ".mov"),
    (matroska(b"webm"), "video/webm", ".webm"),
    (matroska(b"matroska"), "video/x-matroska", ".mkv"),
    (b"fLaC\0\0\0\x22" + bytes(34), "audio/flac", ".flac"),
    (b"ID3\x04\0\0\0\0\0\0" + bytes(20), "audio/mpeg", ".mp3"),
    (b"\xff\xfb\x90\x00" + bytes(400), "audio/mpeg", ".mp3"),
    (sound(), "audio/wav", ".wav"),
    (b"OggS\0\x02" + bytes(40), "audio/ogg", ".ogg"),
    (glb(), "model/gltf-binary", ".glb"),
    (json.dumps({"a": [1]}).encode(), "application/json", ".json"),
    (b"\xef\xbb\xbf [1, 2]", "application/json", ".json"),
    (b"{not json}", "text/plain; charset=utf-8", ".txt"),
    ("BM says: a café\n".encode(), "text/plain; charset=utf-8", ".txt"),
    ("café".encode("latin-1"), "application/octet-stream", ".bin"),
    (b"\x00\x01\x02\x03" * 10, "application/octet-stream", ".bin"),
    (b"plain, then not" * 100 + b"\x00", "application/octet-stream", ".bin"),
]


@pytest.mark.parametrize(("data", "content_type", "extension"), SAMPLES)
def test_bytes_tell_what_they_are(data: bytes, content_type: str, extension: str) -> None:
    media = sniff(data)

    assert (media.content_type, media.extension) == (content_type, extension)


def test_an_empty_artifact_is_a_failure_of_the_task() -> None:
    with pytest.raises(TaskFailed, match="the runtime returned an empty artifact"):
        sniff(b"")


def test_deep_nesting_is_no_json_and_no_crash() -> None:
    assert sniff(b"[" * 100_000).extension == ".txt"


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_something(data: bytes) -> None:
    assert sniff(data).extension.startswith(".")
    assert "/" in sniff(data).content_type


@given(st.sampled_from(SAMPLES), st.integers(min_value=1, max_value=60))
def test_a_cut_file_is_something_too(sample: tuple[bytes, str, str], size: int) -> None:
    assert sniff(sample[0][:size]).extension.startswith(".")


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (b"\x08\0\0\0{}", "l/a_00001_.latent", "application/octet-stream .latent"),
        (b"\x08\0\0\0{}", "a.LATENT", "application/octet-stream .latent"),
        (b"o cube\nv 0 0 0\n", "cube.obj", "text/plain; charset=utf-8 .obj"),
        (b"solid cube", "cube.stl", "text/plain; charset=utf-8 .stl"),
        (b'{"asset": {}}', "cube.gltf", "application/json .gltf"),
        (picture("PNG"), "a.latent", "image/png .png"),
        (b"\x08\0\0\0{}", "a.exe", "application/octet-stream .bin"),
        (b"<p>a page", "a.html", "text/plain; charset=utf-8 .txt"),
        (b"\x08\0\0\0{}", "", "application/octet-stream .bin"),
        (b"\x08\0\0\0{}", "a.latent/../x", "application/octet-stream .bin"),
    ],
)
def test_a_name_counts_where_bytes_tell_no_format_and_its_extension_is_harmless(
    data: bytes, name: str, told: str
) -> None:
    media = named(data, name)

    assert f"{media.content_type} {media.extension}" == told
