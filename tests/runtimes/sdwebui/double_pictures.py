"""The double's pictures: plain colours, in the base64 of the API."""

import base64
import hashlib
import io

from PIL import Image, PngImagePlugin
from starlette.exceptions import HTTPException


def opened(text: str) -> Image.Image:
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return Image.open(io.BytesIO(base64.b64decode(body)))
    except Exception as exc:
        raise HTTPException(500, "Invalid encoded image") from exc


def encoded(image: Image.Image, text: str = "") -> str:
    file, chunks = io.BytesIO(), PngImagePlugin.PngInfo()
    chunks.add_text("parameters", text)
    image.save(file, "PNG", pnginfo=chunks)
    return base64.b64encode(file.getvalue()).decode()


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> str:
    return encoded(Image.new("RGB", size, colour), "Steps: 1")


def colour(prompt: str, seed: int) -> tuple[int, int, int]:
    red, green, blue = hashlib.sha256(f"{seed}:{prompt}".encode()).digest()[:3]
    return red, green, blue
