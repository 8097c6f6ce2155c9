"""Inputs over real servers and objects in memory, and small pictures."""

import asyncio
import base64
import io
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from PIL import Image

from deployments.inputs.fetch import Inputs
from ingest.memory import MemoryObjects
from models.errors import InputRefused, Unavailable
from models.settings.groups import Inputs as Limits
from tests.deployments.web import Names, answer, serving


def png(size: tuple[int, int] = (8, 8)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, "teal").save(data, "PNG")
    return data.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that claim to be a picture of that size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return head + png()[33:]


def inline(data: bytes) -> str:
    return base64.b64encode(data).decode()


PNG = png()
pictures = partial(serving, answer(PNG))


class Shelf(MemoryObjects):
    """Objects in memory, two of which are not to be had now."""

    def __init__(self, **held: bytes) -> None:
        super().__init__()
        self.bodies = {f"s3://bucket/{name}": data for name, data in held.items()}

    async def get(self, uri: str, limit: int | None = None) -> bytes | None:
        if uri == "s3://bucket/down":
            raise Unavailable("the store did not answer")
        if uri == "s3://bucket/hangs":
            await asyncio.Event().wait()
        return await super().get(uri, limit)


@asynccontextmanager
async def opened(
    *,
    allow: Sequence[str] = ("site.test", "other.test"),
    names: Names | None = None,
    objects: MemoryObjects | None = None,
    tls: ssl.SSLContext | None = None,
    **limits: Any,
) -> AsyncIterator[Inputs]:
    settings = Limits.model_validate({"allowHosts": tuple(allow)} | limits)
    inputs = Inputs(
        settings, objects or Shelf(), frozenset({"bucket"}), resolve=names or Names(), tls=tls
    )
    try:
        yield inputs
    finally:
        await inputs.close()


async def refusal(link: str, **options: Any) -> str:
    async with opened(**options) as inputs:
        with pytest.raises(InputRefused) as refused:
            await inputs.fetch([link])
    return str(refused.value)
