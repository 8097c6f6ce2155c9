"""Noise, a picture that no codec makes small, and a Web UI request to enlarge it."""

import io
import random
from typing import Any

from PIL import Image

NOISE = "https://example.com/noise.png"
ENLARGED: dict[str, Any] = {"image": NOISE, "upscaler_1": "Lanczos", "upscaling_resize": 4}
ENLARGED_BYTES = 4 * 2**20
"""Bytes of the enlarged picture, at least."""


def noise(side: int = 512) -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(0).randbytes(3 * side**2)).save(file, "PNG")
    return file.getvalue()
