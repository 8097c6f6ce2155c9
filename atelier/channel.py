"""Channel: how a client waits for an answer, an event, a file, or a while.

The client is written once, as coroutines over this port. Over `AsyncChannel` they wait in
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

_LIMITS = httpx.Limits(max_connections=None)  # each task that is watched holds one
_PART = 1 << 20  # bytes
_MOST, _MOST_PACKED = 64 << 20, 1 << 20
"""Most bytes of an answer that is no artifact, plain and packed."""


class Channel(ABC):
    """Port by which a client sends requests and waits.

    Every method that awaits an answer raises `Unreachable` if none comes.
    """

    @abstractmethod
    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        """Send a request; return the answer, with its body unless ``stream`` and its status is 200.

        The timeouts are those in the request's extensions.

        Raises:
            Misaddressed: the body is over 64 MiB, or 1 MiB packed, or cannot be unpacked.
        """

    @abstractmethod
    def events(
        self, response: httpx.Response, until: float
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events of a streamed answer, and close it at the end.

        Raises:
            Misaddressed: the stream is no server-sent events, or an event has over 64 MiB.
            TimedOut: something came after ``until``, by `time.monotonic`.
        """

    @abstractmethod
    def parts(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        """Yield the body of a streamed answer, a mebibyte at a time, and close it at the end."""

    @abstractmethod
    async def leave(self, response: httpx.Response) -> None:
        """Close a streamed answer whose body is not wanted."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""

    @abstractmethod
    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that reads or writes files, without holding up an event loop."""

    @abstractmethod
    async def close(self) -> None:
        """Close all connections."""


class AsyncChannel(Channel):
    """Channel that waits in the running event loop."""

    def __init__(self) -> None:
        # httpx follows no redirect unless told to: an artifact's store must not get the API key.
        hooks = {"response": [_keep_location_later]}
        self._http = httpx.AsyncClient(limits=_LIMITS, verify=_tls(), event_hooks=hooks)

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            # Always streamed, so that a body can be counted before it is in memory.
            response = await self._http.send(request, stream=True)
            if not stream or response.status_code != HTTPStatus.OK:  # an error's body is read whole
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
                        # Only a whole event starts the count anew; lines alone do not.
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
    """Channel that keeps the calling thread waiting."""

    def __init__(self) -> None:
        hooks = {"response": [_keep_location]}
        self._http = httpx.Client(limits=_LIMITS, verify=_tls(), event_hooks=hooks)

    async def send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        with _translated(request):
            response = self._http.send(request, stream=True)
            if not stream or response.status_code != HTTPStatus.OK:  # an error's body is read whole
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
    """Move a redirect's target out of the headers: httpx parses it unasked, with many errors."""
    response.extensions["location"] = response.headers.pop("location", "")


async def _keep_location_later(response: httpx.Response) -> None:
    _keep_location(response)


@cache
def _tls() -> ssl.SSLContext:
    """Make the TLS context of all clients: reading certificates takes longer than most calls."""
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
    """Stream of events that is not read past the deadline, nor past an event without end."""

    def __init__(self, response: httpx.Response, until: float) -> None:
        super().__init__(response.stream)
        self._url = response.request.url
        self._until = until
        self.since_event = 0
        """Count of bytes that came after the last event."""

    def _check(self, part: bytes) -> None:
        self.since_event += len(part)
        if self.since_event > _MOST:
            raise Misaddressed.at(self._url, "an event has no end")
        # Looked at when something comes; where nothing does, the read's own timeout ends it.
        if time.monotonic() > self._until:
            raise TimedOut


class _Bounded(_Checked):
    """Body that is held in memory, and not read past what an answer of `/v1` can have."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(response.stream)
        self._url = response.request.url
        # Packed bodies grow up to a thousandfold while httpx unpacks them, so fewer bytes may come.
        self._left = _MOST_PACKED if "content-encoding" in response.headers else _MOST

    def _check(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise Misaddressed.at(self._url, "its answer has no end")


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """Translate httpx's errors into the client's."""
    try:
        yield
    except SSEError as exc:  # a TransportError, but the answer is wrong, not the network
        raise Misaddressed.at(request.url, exc) from exc
    except httpx.DecodingError as exc:
        raise Misaddressed.at(request.url, "its answer cannot be unpacked") from exc
    except httpx.TransportError as exc:
        # Timeouts have no text of their own.
        raise Unreachable.at(request.url, str(exc) or type(exc).__name__) from exc
