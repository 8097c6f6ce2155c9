"""A TCP proxy on loopback that holds what the client sends for a fixed time.

One HTTP exchange on a kept connection so costs one delay more, as on a network of that round trip.
`python -m bench.delay PORT SECONDS` prints the port that leads to PORT, so much later.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 2**18


@contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """A port that leads to ``port``, ``seconds`` later; a process of its own, to share no lock."""
    command = [sys.executable, "-m", "bench.delay", str(port), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline() if process.stdout else "")
        finally:
            process.terminate()


async def _serve(port: int, seconds: float) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _relay(reader, writer, port, seconds)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # the parent waits for this line
    async with server:
        await server.serve_forever()


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, seconds: float
) -> None:
    with suppress(OSError):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(to_reader, writer, 0))  # one way: a round trip costs one delay
            group.create_task(_pump(reader, to_writer, seconds))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on each chunk so long after it came, in order, without slowing the reading."""
    loop = asyncio.get_running_loop()
    # Without a limit: a full queue would stop the reading, and TCP the client.
    pending: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"-"
        with suppress(OSError):
            while data:
                data = await reader.read(_CHUNK)
                pending.put_nowait((loop.time() + seconds, data))
            return
        # The connection broke, and no empty read marked its end: this does.
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


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
