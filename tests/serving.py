"""A real HTTP server on loopback, in the loop of whoever asks for it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the test runner's

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """The URL under which it is served."""
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, log_level="critical", timeout_graceful_shutdown=1
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
