"""Painted pictures as files, in the format that a request asks for."""

import io
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

from models.runtimes.diffusers.overrides import Overrides

_KINDS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
_EXIF, _USER_COMMENT = 0x8769, 0x9286
_UNICODE = b"UNICODE\0"


@dataclass(frozen=True)
class Format:
    """Format of picture files, by Pillow's name."""

    kind: str = "PNG"
    quality: int = 80
    """Quality of lossy formats, 1 to 100."""
    is_lossless: bool = False
    """Flag of WebP alone."""

    @classmethod
    def of(cls, settings: Overrides) -> "Format":
        """Return the format that a request's settings name."""
        return cls(_KINDS[settings.samples_format], settings.jpeg_quality, settings.webp_lossless)


def written(image: Image.Image, parameters: str, how: Format) -> bytes:
    """Write a picture with the text that the Web UI's "PNG info" reads back."""
    file = io.BytesIO()
    if how.kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", parameters)
        image.save(file, "PNG", pnginfo=info)
        return file.getvalue()
    exif = Image.Exif()
    exif.get_ifd(_EXIF)[_USER_COMMENT] = _UNICODE + parameters.encode("utf-16-be", "replace")
    lossless = {"lossless": True} if how.kind == "WEBP" and how.is_lossless else {}
    image.save(file, how.kind, quality=how.quality, exif=exif, **lossless)
    return file.getvalue()
