"""Calls to one platform: its URL, the key, and how often a call is tried."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel

from atelier.channel import Channel
from atelier.errors import (
    AtelierError,
    Misaddressed,
    Misused,
    TooLarge,
    Unreachable,
    error_of,
    link_error,
    parsed,
)
from atelier.tries import Tries

Model = TypeVar("Model", bound=BaseModel)

_MOST = 5  # tries of one call
# 202: a task was accepted, 204: the stream of events has nothing more to tell.
_RIGHT = frozenset({200, 202, 204})
_FOUND = frozenset({200})
# Content codings that change no byte. Some stores give back the last, which an upload of the SDK
# had, though they have long taken the chunks apart.
_PLAIN = frozenset({"", "identity", "aws-chunked"})


class Caller:
    """Makes calls with a deadline, and is alone in trying them again, where that may help."""

    def __init__(
        self, url: str, api_key: str, *, channel: Channel, timeout: float, patience: float
    ) -> None:
        self.url = _checked(url)
        self.channel = channel
        self.timeout = timeout
        """Seconds for which one try waits for the next byte."""
        self.patience = patience
        """Seconds that all tries of one call may take."""
        self._key = _header(api_key)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Request:
        """Build a request to the platform; parameters that are None are left out.

        Raises:
            Misused: the path or a parameter cannot stand in a URL.
        """
        # As bytes: httpx encodes text in headers as ASCII, and a key may have other letters.
        named = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        try:
            return httpx.Request(
                method,
                f"{self.url}{path}",
                params={name: value for name, value in (params or {}).items() if value is not None},
                content=content,
                headers={b"x-api-key": self._key, b"user-agent": b"atelier", **named},
            )
        except (UnicodeEncodeError, httpx.InvalidURL):
            raise Misused(
                "an id, a submission or a name is too long for a URL, or is no Unicode text"
            ) from None

    def tries(self, until: float | None = None, *, most: int = _MOST) -> Tries:
        """Begin the tries of one call; ``until`` is an earlier deadline, by `time.monotonic`."""
        end = time.monotonic() + self.patience
        return Tries(self.channel, most, end if until is None else min(end, until))

    async def call(
        self, model: type[Model], method: str, path: str, params: Mapping[str, Any] | None = None
    ) -> Model:
        """Make a call; return its answer as a model.

        Raises:
            AtelierError: the platform refused, or did not answer; see `ask`.
        """
        return parsed(model, await self.ask(self.request(method, path, params=params)))

    async def ask(
        self,
        request: httpx.Request,
        *,
        right: frozenset[int] = _RIGHT,
        error: Callable[[httpx.Response], AtelierError] = error_of,
        stream: bool = False,
        tries: Tries | None = None,
    ) -> httpx.Response:
        """Send a request until it is answered with one of the ``right`` statuses.

        Raises:
            AtelierError: the meaning of another status, after the last try if trying may help.
            Misaddressed: a streamed answer is packed, which nobody asked for: a few bytes of it
                may become any number here.
        """
        tries = tries or self.tries()
        while True:
            # Not 0, by which a socket would not wait at all; less would be a ValueError.
            seconds = max(0.001, min(self.timeout, tries.left))
            # `send` of httpx takes no timeout, but reads this one; each try has less time left.
            request.extensions["timeout"] = httpx.Timeout(seconds).as_dict()
            try:
                response = await self.channel.send(request, stream=stream)
                if response.status_code in right:
                    return await self._plain(response) if stream else response
                # Within the `try`, since a 503 is an `Unreachable`, too, and is tried again.
                raise error(response)
            except Unreachable as exc:
                await tries.again(exc)

    async def fetch(
        self,
        link: httpx.URL,
        *,
        begin: Callable[[int | None], None],
        take: Callable[[bytes], Awaitable[None]],
        most: int | None,
    ) -> None:
        """Stream the file behind a link to another host, which does not get the API key.

        ``begin`` is called with the size, if that is known, before the first part of each try.

        Raises:
            NotFound: the store does not have it (any more).
            TooLarge: there are more than ``most`` bytes.
        """
        # One count for all of it: each break does not bring five tries more.
        tries = self.tries()
        while True:
            # Identity: the answer is to be the artifact itself, and no packed form of it.
            request = httpx.Request("GET", link, headers={"accept-encoding": "identity"})
            answer = await self.ask(
                request, right=_FOUND, error=link_error, stream=True, tries=tries
            )
            try:
                begin(_size(answer))
                await self._take(answer, take, most)
            except Unreachable as exc:
                # The deadline bounds waiting, not how long a large file takes to come.
                tries.until = max(tries.until, time.monotonic() + self.patience)
                await tries.again(exc)
            else:
                return

    async def _plain(self, answer: httpx.Response) -> httpx.Response:
        codings = answer.headers.get("content-encoding", "").lower().split(",")
        if packed := {coding.strip() for coding in codings} - _PLAIN:
            # The body is not read, so the connection has to be given back by hand.
            await self.channel.leave(answer)
            raise Misaddressed.packed(answer.request.url, packed)
        return answer

    async def _take(
        self,
        answer: httpx.Response,
        take: Callable[[bytes], Awaitable[None]],
        most: int | None,
    ) -> None:
        taken = 0
        # The length may be missing or wrong, so the bytes are counted as well.
        if most is not None and (_size(answer) or 0) > most:
            await self.channel.leave(answer)
            raise TooLarge(most)
        async with aclosing(self.channel.parts(answer)) as parts:
            async for part in parts:
                taken += len(part)
                if most is not None and taken > most:
                    raise TooLarge(most)
                await take(part)


def _checked(url: str) -> str:
    """Check a URL; return it without slashes at its end. The path of a stage may be part of it."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise Misused(f"the URL is none: {exc}") from None
    # Without user and password, of which httpx makes an `Authorization` header unasked; without a
    # query, since paths are put behind the URL.
    if parts.scheme not in ("http", "https") or not parts.host or parts.query or parts.userinfo:
        raise Misused("the URL must be like http://127.0.0.1:8000 or https://host/stage")
    return url.rstrip("/")


def _size(answer: httpx.Response) -> int | None:
    text = answer.headers.get("content-length", "")
    # `isdigit` alone is true of letters such as "²", at which `int` fails.
    return int(text) if text.isascii() and text.isdigit() else None


def _header(api_key: str) -> bytes:
    # A line break would begin another header, and blanks at either end are lost on the way.
    if not api_key.isprintable() or api_key != api_key.strip() or not api_key:
        raise Misused("the API key is empty, or has blanks or control characters in it")
    return api_key.encode()
