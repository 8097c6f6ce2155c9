"""Bytes as they are, over a connection to a server."""

import asyncio
from urllib.parse import urlsplit

_SECONDS = 20


async def sent(url: str, request: bytes) -> tuple[int, bytes]:
    """The first answer's status, and all that the server says until it closes the connection.

    Status 0: it said nothing.
    """
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        async with asyncio.timeout(_SECONDS):
            writer.write(request)
            try:
                await writer.drain()
                answer = await reader.read()
            except ConnectionError:
                answer = b""
    finally:
        writer.close()
    _, _, rest = answer.partition(b" ")
    return int(rest[:3] or 0), answer
