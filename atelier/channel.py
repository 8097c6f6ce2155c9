"""How a client waits: for an answer, an event, a file, a while.

What the client does is written once, as coroutines over this port. Over `AsyncChannel` they wait in
the caller's event loop; over `BlockingChannel` they never suspend, so that `atelier.blocking` runs
them without a loop. Knows HTTP, and nothing of the platform.
"""

import asyncio
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import cache
from http import HTTPStatus
from typing import ParamSpec, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from atelier.errors import Misaddressed, TimedOut, Unreachable

P = ParamSpec("P")
T = TypeVar("T")

_LIMITS = httpx.Limits(max_connections=None)  # each task that is watched has one


class Channel(ABC):
    """Sends requests; that there is no answer is `Unreachable`."""

    @abstractmethod
    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """The answer, with its body unless that is a success and to be streamed."""

    @abstractmethod
    def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """The events of a streamed answer, which is closed at the end.

        Raises:
            TimedOut: `time.monotonic` has passed ``until``.
        """

    @abstractmethod
    async def sleep(self, seconds: float) -> None: ...

    @abstractmethod
    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a function that reads or writes files gives."""

    @abstractmethod
    async def close(self) -> None: ...


class AsyncChannel(Channel):
    """Waits in the running event loop."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(limits=_LIMITS, verify=_tls())

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            response = await self._http.send(request, stream=stream)
            if response.status_code != HTTPStatus.OK:  # only that is streamed
                await response.aread()
            return response

    async def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        response.stream = _Until(response.stream, until)
        try:
            with _translated(response.request):
                async with aclosing(EventSource(response).aiter_sse()) as events:
                    async for event in events:
                        yield event
        finally:
            await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    async def close(self) -> None:
        await self._http.aclose()


class BlockingChannel(Channel):
    """Keeps the calling thread waiting."""

    def __init__(self) -> None:
        self._http = httpx.Client(limits=_LIMITS, verify=_tls())

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            response = self._http.send(request, stream=stream)
            if response.status_code != HTTPStatus.OK:  # only that is streamed
                response.read()
            return response

    async def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        response.stream = _Until(response.stream, until)
        try:
            with _translated(response.request):
                for event in EventSource(response).iter_sse():
                    yield event
        finally:
            response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no event loop

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    async def close(self) -> None:
        self._http.close()


@cache
def _tls() -> ssl.SSLContext:
    """Once for all clients: reading the certificates takes longer than most calls."""
    return httpx.create_ssl_context()


class _Until(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is not read past the deadline, however long it is kept alive."""

    def __init__(self, body: httpx.SyncByteStream | httpx.AsyncByteStream, until: float) -> None:
        self._body = body
        self._until = until

    def __iter__(self) -> Iterator[bytes]:
        for part in self._body:  # type: ignore[union-attr] # httpx asks a sync one only
            self._check()
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:  # type: ignore[union-attr] # httpx asks an async one only
            self._check()
            yield part

    def close(self) -> None:
        self._body.close()  # type: ignore[union-attr]

    async def aclose(self) -> None:
        await self._body.aclose()  # type: ignore[union-attr]

    def _check(self) -> None:
        if time.monotonic() > self._until:
            raise TimedOut


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """The errors of HTTP in our words."""
    try:
        yield
    except SSEError as exc:  # it says of itself that it is one of the next
        raise Misaddressed.at(request.url, exc) from exc
    except httpx.DecodingError as exc:
        raise Misaddressed.at(request.url, "its answer cannot be unpacked") from exc
    except httpx.TransportError as exc:
        raise Unreachable.at(request.url, str(exc) or type(exc).__name__) from exc
