"""Metadata of PNG files, taken out before a picture is read: none of it is painted.

Pillow unpacks colour profiles and texts on opening a file, and gives the file up over large ones
and over ones with a wrong checksum. How the camera was held is kept: it turns the picture.
"""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FRAME = 12  # bytes of a chunk round its body: length, kind, checksum
_PAINTED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_TURNING_TEXTS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Texts in which some programs write how the camera was held."""
_MOST_TEXT = 2**16
"""Bytes of such a text at most, packed and unpacked; a larger one is dropped."""


def without_metadata(data: bytes) -> bytes:
    """Return the file without chunks that are not painted; other than PNG files as they are.

    From a chunk on that is cut short, the rest is kept as it is.
    """
    if not data.startswith(_SIGNATURE):
        return data
    kept, at = [_SIGNATURE], len(_SIGNATURE)
    while at + _FRAME <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + _FRAME + length
        if end > len(data):
            break
        if kind in _PAINTED or _turns(kind, data[at + 4 : end]):
            kept.append(data[at:end])
        at = end
        if kind == b"IEND":
            return b"".join(kept)
    return b"".join([*kept, data[at:]])


def _turns(kind: bytes, checked: bytes) -> bool:
    """Tell whether a chunk may say how to turn the picture; ``checked`` ends with its checksum."""
    body = checked[4:-4]
    match kind:
        case b"eXIf":
            turns = True
        case b"tEXt" | b"iTXt":  # of the latter only what is not packed, as it is by most
            turns = body.startswith(_TURNING_TEXTS) and len(body) <= _MOST_TEXT
            turns = turns and (kind == b"tEXt" or body.partition(b"\0")[2].startswith(b"\0"))
        case b"zTXt":
            turns = body.startswith(_TURNING_TEXTS) and _is_short(body.partition(b"\0")[2][1:])
        case _:
            turns = False
    return turns and zlib.crc32(checked[:-4]) == int.from_bytes(checked[-4:], "big")


def _is_short(packed: bytes) -> bool:
    """Tell whether packed bytes unpack, and to no more than a text may have."""
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _MOST_TEXT)
    except zlib.error:
        return False
    return unpacking.eof
