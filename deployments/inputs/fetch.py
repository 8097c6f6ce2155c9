"""Bytes behind the links in a task, fetched under a guard.

Knows http, https and s3; leaves to the adapter which links there are and what they are for.
"""

import asyncio
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import unquote

import httpcore
import httpx

from deployments.inputs.fields import plain_link
from deployments.inputs.guard import Guard, GuardedNetwork, Resolve, as_httpcore, resolve, web_url
from deployments.inputs.pictures import check_inline, check_picture, too_large
from models.errors import InputRefused, Unavailable
from models.ports import Objects
from models.s3_link import SCHEME, s3_link
from models.settings.groups import Inputs as Limits

_CONCURRENT = 16
_CONNECT_SECONDS = 5
_PAUSE_SECONDS = 0.2
_SHOWN = 200  # characters
# Unpacked, for the length that is announced is then the one that the limit is about.
_HEADERS = ((b"User-Agent", b"atelier"), (b"Accept", b"*/*"), (b"Accept-Encoding", b"identity"))
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GZIPPED = frozenset({"gzip", "x-gzip", "deflate"})
_BROKEN = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
)


class _Passing(InputRefused):
    """A refusal that may be gone in a moment; one more try is made."""


class Inputs:
    """Fetches the bytes behind tasks' links. Made once for a replica: it keeps connections open."""

    def __init__(
        self,
        limits: Limits,
        objects: Objects,
        buckets: frozenset[str],
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits
        self._objects = objects
        self._buckets = buckets
        # httpcore instead of httpx: no proxy of the environment, no cookies, no redirects, and no
        # log of whole URLs, which may hold a presigned secret. Its pool is by name, not by
        # address, so two names at one address never share a TLS connection.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=_CONCURRENT,
            max_keepalive_connections=_CONCURRENT,
            keepalive_expiry=30,
            network_backend=GuardedNetwork(Guard(limits.allow_hosts, resolve)),
        )
        self._slots = asyncio.Semaphore(_CONCURRENT)

    async def fetch(self, links: Iterable[str]) -> Mapping[str, bytes]:
        """Fetch the bytes behind each link, each once and 16 at a time.

        A link takes ``inputs.timeoutSeconds`` at most; one that fails ends the others.

        Raises:
            InputRefused: one of them cannot be had, naming it and why.
            Unavailable: the object store did not answer, or not in that time.
        """
        distinct = list(dict.fromkeys(links))
        if len(distinct) > self._limits.max_links:
            most = self._limits.max_links
            raise InputRefused(f"{len(distinct)} links are more than {most} (inputs.maxLinks)")
        try:
            async with asyncio.TaskGroup() as group:
                fetched = {link: group.create_task(self._fetch(link)) for link in distinct}
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # the first ended the others
        return {link: task.result() for link, task in fetched.items()}

    async def check(self, pictures: Mapping[str, str]) -> None:
        """Check pictures that stand in a content itself, each with its field, as those of links.

        Raises:
            InputRefused: one of them is no picture or too large, naming its field and why.
        """
        for text, field in pictures.items():
            try:
                # Not in the event loop: a picture of 20 MB takes a tenth of a second.
                await asyncio.to_thread(check_inline, text, self._limits)
            except InputRefused as exc:
                raise InputRefused(f"{field}: {exc}") from exc

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _fetch(self, given: str) -> bytes:
        limit, link = self._limits.timeout_seconds, plain_link(given)
        try:
            # In this order: the time runs from a free slot on, not while others are fetched.
            async with self._slots, asyncio.timeout(limit):
                data = await self._read(link)
            await asyncio.to_thread(check_picture, data, self._limits)
        except TimeoutError:
            if link.startswith(SCHEME):  # the store is a part of the platform, not of the task
                raise Unavailable(f"S3 took over {limit:g} s for an input") from None
            raise InputRefused(f"link {_shown(link)} refused: it took over {limit:g} s") from None
        except InputRefused as exc:
            raise InputRefused(f"link {_shown(link)} refused: {exc}") from exc
        return data

    async def _read(self, link: str) -> bytes:
        if link.startswith(SCHEME):
            return await self._object(link)
        url = web_url(link)
        try:
            return await self._follow(url)
        except _Passing:
            await asyncio.sleep(_PAUSE_SECONDS)
            return await self._follow(url)

    async def _object(self, link: str) -> bytes:
        data = await self._stored(link)
        # A key may hold a % itself, so that one is looked for first.
        if data is None and (written_out := unquote(link)) != link:
            data = await self._stored(written_out)
        if data is None:
            raise InputRefused("there is no such object")
        return data

    async def _stored(self, link: str) -> bytes | None:
        """Read an object from a bucket that may be read; None if it is not there."""
        try:
            bucket = s3_link(link).bucket
        except ValueError as exc:
            raise InputRefused(str(exc)) from None
        if bucket not in self._buckets:
            raise InputRefused(
                f"its bucket {bucket!r} may not be read; allow it with inputs.allowBuckets"
            )
        try:
            return await self._objects.get(link, self._limits.max_bytes)
        except ValueError:
            raise too_large(self._limits) from None

    async def _follow(self, url: httpx.URL) -> bytes:
        """Follow redirects by hand, since each hop is a link to be checked like the first."""
        for _ in range(self._limits.max_redirects + 1):
            async with self._answer(url) as answer:
                if answer.status not in _REDIRECTS:
                    return await self._body(answer)
                url = _redirected(url, _header(answer, b"location"))
        raise InputRefused(f"it redirects more than {self._limits.max_redirects} times")

    @asynccontextmanager
    async def _answer(self, url: httpx.URL) -> AsyncIterator[httpcore.Response]:
        try:
            async with self._pool.stream(
                "GET",
                as_httpcore(url),
                headers=[(b"Host", url.netloc), *_HEADERS],
                extensions={"timeout": {"connect": _CONNECT_SECONDS}},
            ) as answer:
                yield answer
        except _BROKEN as exc:
            why = str(exc) or type(exc).__name__
            raise _Passing(f"its host {url.host} did not answer properly ({why})") from exc

    async def _body(self, answer: httpcore.Response) -> bytes:
        _check_status(answer.status)
        length = _header(answer, b"content-length")
        # Only to refuse early: the header may be missing or wrong, so what comes is counted, too.
        if length.isdecimal() and int(length) > self._limits.max_bytes:
            raise too_large(self._limits)
        body = bytearray()
        async for part in answer.aiter_stream():
            body += part
            if len(body) > self._limits.max_bytes:
                raise too_large(self._limits)
        return self._decoded(bytes(body), _header(answer, b"content-encoding").lower())

    def _decoded(self, body: bytes, encoding: str) -> bytes:
        """Unpack a body that a server packed although it was asked not to, up to the limit."""
        if encoding in ("", "identity"):
            return body
        if encoding not in _GZIPPED:
            raise InputRefused(f"it is encoded as {encoding[:_SHOWN]!r}")
        try:
            unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header
            # Bounded, since packed data may unpack to a thousand times its size.
            data = unpacking.decompress(body, self._limits.max_bytes)
        except zlib.error as exc:
            raise InputRefused(f"it says it is {encoding} and is not") from exc
        if unpacking.unconsumed_tail:
            raise too_large(self._limits)
        if not unpacking.eof:
            raise InputRefused(f"its {encoding} data ends too soon")
        return data


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        joined = str(url.join(location))
    except httpx.InvalidURL as exc:
        raise InputRefused(f"it redirects to what is not a URL ({exc})") from exc
    try:
        target = web_url(joined)
    except InputRefused as exc:
        raise InputRefused(f"it redirects to {_shown(joined)}: {exc}") from exc
    if url.scheme == "https" and target.scheme == "http":
        raise InputRefused("it redirects from https to http")
    return target


def _header(answer: httpcore.Response, name: bytes) -> str:
    found = (value for key, value in answer.headers if key.lower() == name)
    return next(found, b"").decode("utf-8", "replace").strip()


def _check_status(status: int) -> None:
    if status >= 500:  # noqa: PLR2004 - the server's own fault, by RFC 9110
        raise _Passing(f"its server answered {status}")
    if status != httpx.codes.OK:
        raise InputRefused(f"its server answered {status}")


def _shown(link: str) -> str:
    """Shorten a link for a message, without its query (it may be signed) or password."""
    # Greedy up to the last @ before the path: a password may hold one itself.
    without_login = re.sub(r"^(\w+://)[^/?#]*@", r"\1…@", link)
    address, cut, _ = without_login.partition("?")
    return address[:_SHOWN] + ("…" if len(address) > _SHOWN else "") + ("?…" if cut else "")
