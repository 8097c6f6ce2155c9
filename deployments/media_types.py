"""Media types of artifacts, told from their bytes alone, never from a name or a link.

A name counts for the extension of bytes that tell nothing.
"""

import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import filetype

from models.errors import TaskFailed

_EBML = b"\x1a\x45\xdf\xa3"
_HEADER = 64  # bytes: EBML's own header, with the document type, comes first
_XML_HEAD = 1024  # characters for a declaration, a doctype and comments before <svg
# Bytes that no text holds. Blanks, line ends and the escape that begins a colour may be in one.
_CONTROLS = bytes(set(range(ord(" "))) - set(b"\t\n\v\f\r\x1b"))


@dataclass(frozen=True)
class MediaType:
    """Content type of bytes, and the extension (with its dot) for their name."""

    content_type: str
    extension: str


BINARY = MediaType("application/octet-stream", ".bin")
TEXT = MediaType("text/plain; charset=utf-8", ".txt")
JSON = MediaType("application/json", ".json")
SVG = MediaType("image/svg+xml", ".svg")
_WEBM = MediaType("video/webm", ".webm")
_MATROSKA = MediaType("video/x-matroska", ".mkv")

# None that a desktop would run or show as a page when somebody opens the file.
_NAMED = frozenset(
    {
        *(".latent", ".safetensors", ".npy", ".npz"),
        *(".gltf", ".obj", ".stl", ".ply", ".fbx", ".usdz", ".spz", ".splat", ".ksplat"),
        *(".hdr", ".csv", ".srt", ".vtt"),
    }
)
"""Extensions of names that are kept for bytes whose media type tells no more than that they are
bytes, text or JSON."""

# Types that `filetype` does not know, by their first bytes.
_MAGIC = {
    b"glTF": MediaType("model/gltf-binary", ".glb"),
    b"\x76\x2f\x31\x01": MediaType("image/x-exr", ".exr"),
}
# Names of `filetype` that are older, or that the reference's clients do not expect.
_RENAMED = {
    "image/apng": MediaType("image/png", ".png"),
    "image/tiff": MediaType("image/tiff", ".tiff"),
    "audio/x-flac": MediaType("audio/flac", ".flac"),
    "audio/x-wav": MediaType("audio/wav", ".wav"),
    "video/x-m4v": MediaType("video/mp4", ".mp4"),
}


def sniff(data: bytes) -> MediaType:
    """Tell the media type of bytes.

    Raises:
        TaskFailed: there are none; a runtime that gives nothing has not succeeded.
    """
    if not data:
        raise TaskFailed("the runtime returned an empty artifact")
    # Text goes first: a story that begins with "BM" is not a bitmap.
    return _text(data) or _binary(data)


def named(data: bytes, name: str) -> MediaType:
    """Tell the media type of bytes, with the extension of their name where they tell no format.

    Raises:
        TaskFailed: there are none.
    """
    media, extension = sniff(data), PurePosixPath(name).suffix.lower()
    if media in (BINARY, TEXT, JSON) and extension in _NAMED:
        return replace(media, extension=extension)
    return media


def _text(data: bytes) -> MediaType | None:
    if _has_controls(data[:_XML_HEAD]):  # nearly every binary format ends here
        return None
    try:
        text = data.decode("utf-8-sig").lstrip()  # Windows' editors write a byte order mark
    except UnicodeDecodeError:
        return None
    if _has_controls(data):
        return None
    if _is_svg(text[:_XML_HEAD]):
        return SVG
    return JSON if _is_json(text) else TEXT


def _has_controls(data: bytes) -> bool:
    return len(data.translate(None, _CONTROLS)) < len(data)


def _is_svg(head: str) -> bool:
    return head.startswith("<svg") or (head.startswith(("<?xml", "<!")) and "<svg" in head)


def _is_json(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    # RecursionError: too deep for Python's parser. It is text then, and no reason to fail a task.
    except (ValueError, RecursionError):
        return False
    return True


def _binary(data: bytes) -> MediaType:
    if data.startswith(_EBML):
        # One container, two names: only the document type in its header tells.
        return _WEBM if b"webm" in data[:_HEADER] else _MATROSKA
    for magic, media in _MAGIC.items():
        if data.startswith(magic):
            return media
    return _known(data)


def _known(data: bytes) -> MediaType:
    guess = filetype.guess(data)
    if guess is None:
        return BINARY
    return _RENAMED.get(guess.mime) or MediaType(guess.mime, f".{guess.extension}")
