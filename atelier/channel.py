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
_PART = 1 << 20  # bytes
_MOST, _MOST_PACKED = 64 << 20, 1 << 20  # bytes of an answer that is no artifact


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
    def parts(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """The body of a streamed answer, a megabyte at a time; closed at the end."""

    @abstractmethod
    async def leave(self, response: httpx.Response) -> None:
        """Close a streamed answer whose body is not wanted."""

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
        hooks = {"response": [_keep_location_later]}
        self._http = httpx.AsyncClient(limits=_LIMITS, verify=_tls(), event_hooks=hooks)

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            response = await self._http.send(request, stream=True)
            if not stream or response.status_code != HTTPStatus.OK:  # only that is streamed
                response.stream = _Bounded(response)
                await response.aread()
            return response

    async def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        response.stream = body = _Until(response, until)
        try:
            with _translated(response.request):
                async with aclosing(EventSource(response).aiter_sse()) as events:
                    async for event in events:
                        body.since_event = 0
                        yield event
        finally:
            await response.aclose()

    async def parts(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        try:
            with _translated(response.request):
                async for part in response.aiter_bytes(_PART):
                    yield part
        finally:
            await response.aclose()

    async def leave(self, response: httpx.Response) -> None:
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
        hooks = {"response": [_keep_location]}
        self._http = httpx.Client(limits=_LIMITS, verify=_tls(), event_hooks=hooks)

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            response = self._http.send(request, stream=True)
            if not stream or response.status_code != HTTPStatus.OK:  # only that is streamed
                response.stream = _Bounded(response)
                response.read()
            return response

    async def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        response.stream = body = _Until(response, until)
        try:
            with _translated(response.request):
                for event in EventSource(response).iter_sse():
                    body.since_event = 0
                    yield event
        finally:
            response.close()

    async def parts(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        try:
            with _translated(response.request):
                for part in response.iter_bytes(_PART):
                    yield part
        finally:
            response.close()

    async def leave(self, response: httpx.Response) -> None:
        response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no event loop

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    async def close(self) -> None:
        self._http.close()


def _keep_location(response: httpx.Response) -> None:
    """Take a redirect's target out of the headers: httpx parses it unasked, with many errors."""
    response.extensions["location"] = response.headers.pop("location", "")


async def _keep_location_later(response: httpx.Response) -> None:
    _keep_location(response)


@cache
def _tls() -> ssl.SSLContext:
    """Once for all clients: reading the certificates takes longer than most calls."""
    return httpx.create_ssl_context()


class _Checked(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Body whose parts are checked one by one before they are given on."""

    def __init__(self, body: httpx.SyncByteStream | httpx.AsyncByteStream) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for part in self._body:  # type: ignore[union-attr] # httpx asks a sync one only
            self._check(part)
            yield part

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:  # type: ignore[union-attr] # httpx asks an async one only
            self._check(part)
            yield part

    def close(self) -> None:
        self._body.close()  # type: ignore[union-attr]

    async def aclose(self) -> None:
        await self._body.aclose()  # type: ignore[union-attr]

    @abstractmethod
    def _check(self, part: bytes) -> None: ...


class _Until(_Checked):
    """A stream of events that is not read past the deadline, nor past an event without end."""

    def __init__(self, response: httpx.Response, until: float) -> None:
        super().__init__(response.stream)
        self._url = response.request.url
        self._until = until
        self.since_event = 0
        """Bytes that came after the last event."""

    def _check(self, part: bytes) -> None:
        self.since_event += len(part)
        if self.since_event > _MOST:
            raise Misaddressed.at(self._url, "an event has no end")
        if time.monotonic() > self._until:
            raise TimedOut


class _Bounded(_Checked):
    """A body that is held in memory, and is not read past what an answer of `/v1` can have."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.stream)
        self._url = response.request.url
        self._left = _MOST_PACKED if "content-encoding" in response.headers else _MOST

    def _check(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise Misaddressed.at(self._url, "its answer has no end")


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
