"""HTTP by hand over raw sockets: requests that no client library would send."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

DEADLINE = 60.0


@dataclass(frozen=True)
class Connection:
    """Connection of a raw socket; reads what is answered on it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> tuple[int, dict[str, str]]:
        """The answer's status and headers, in lower case."""
        async with asyncio.timeout(DEADLINE):
            raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode().strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers

    async def rest(self) -> bytes:
        """Read all to the end of the connection."""
        async with asyncio.timeout(DEADLINE):
            return await self.reader.read()


def request(method: str, target: str, key: str, *headers: str) -> bytes:
    """A request's head, and the empty line behind it."""
    lines = [f"{method} {target} HTTP/1.1", "host: front", f"x-api-key: {key}", *headers, "", ""]
    return "\r\n".join(lines).encode()


@asynccontextmanager
async def connected(
    url: str, sent: Sequence[bytes], *, receive_buffer: int = 2**16
) -> AsyncIterator[list[Connection]]:
    """A connection for each of these, which is what was sent on it; a few are opened at once.

    ``receive_buffer`` bytes are kept here of what nobody reads.
    """
    where = urlsplit(url)
    turns = asyncio.Semaphore(50)

    async def opened(raw: bytes) -> Connection:
        async with turns:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            made.connect((where.hostname, where.port))
            reader, writer = await asyncio.open_connection(sock=made, limit=receive_buffer)
            writer.write(raw)
            await writer.drain()
            return Connection(reader, writer)

    connections = await asyncio.gather(*map(opened, sent))
    try:
        yield list(connections)
    finally:
        for connection in connections:
            connection.writer.close()
        for connection in connections:
            with suppress(OSError):
                await connection.writer.wait_closed()
