"""A TCP proxy on loopback that holds what the client sends for a fixed time.

One HTTP exchange on a kept connection so costs one delay more, as on a network of that round trip.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 2**18


@asynccontextmanager
async def delayed(port: int, seconds: float) -> AsyncIterator[int]:
    """A port that leads to ``port``, ``seconds`` later."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, port, seconds)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, seconds: float
) -> None:
    with suppress(OSError):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(to_reader, writer, 0))
            group.create_task(_pump(reader, to_writer, seconds))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on each chunk so long after it came, in order, without slowing the reading."""
    loop = asyncio.get_running_loop()
    pending: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"-"
        with suppress(OSError):
            while data:
                data = await reader.read(_CHUNK)
                pending.put_nowait((loop.time() + seconds, data))
            return
        pending.put_nowait((0, b""))

    async def write() -> None:
        with suppress(OSError):
            while (item := await pending.get())[1]:
                await asyncio.sleep(max(0, item[0] - loop.time()))
                writer.write(item[1])
                await writer.drain()
        writer.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(write())
