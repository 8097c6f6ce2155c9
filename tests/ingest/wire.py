"""Server that answers in one way and keeps what was sent to it, byte for byte."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Wire:
    """Record of what was sent."""

    answer: str
    """Answer to each request from now on, byte for byte."""
    endpoint: str = ""
    requests: list[bytes] = field(default_factory=list)
    """Head and body of each request, in order."""

    def heads(self) -> Sequence[str]:
        return [request.partition(b"\r\n\r\n")[0].decode().lower() for request in self.requests]


@asynccontextmanager
async def recorded(
    answer: str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
) -> AsyncIterator[Wire]:
    wire = Wire(answer)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            hang_up = False
            while not hang_up:
                wire.requests.append(await _request(reader))
                writer.write(wire.answer.encode())
                await writer.drain()
                hang_up = "Connection: close" in wire.answer
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    wire.endpoint = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    async with server:
        yield wire


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    sizes = [line.partition(":")[2] for line in lines if line.startswith("content-length:")]
    return head + (await reader.readexactly(int(sizes[0])) if sizes else b"")
