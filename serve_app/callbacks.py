"""Callback calls to servers that anybody may name, over the guarded network."""

import ssl
from collections.abc import Iterable, Mapping

import httpcore
import httpx

from deployments.inputs.guard import (
    Guard,
    GuardedNetwork,
    HostNotFound,
    Resolve,
    as_httpcore,
    resolve,
    web_url,
)
from ingest.callbacks import CallRefused, Post
from models.errors import InputRefused, Unavailable

_AT_ONCE = 100  # as many as the sender leases by default
_CONNECT_SECONDS = 5  # for one address: the next gets its turn before the call's own deadline


class WebPost(Post):
    """HTTP client of callback calls: to public addresses, and to hosts that are allowed by name."""

    def __init__(
        self,
        allow_hosts: Iterable[str] = (),
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # httpcore by itself: no proxy of the environment, no redirects, and no log of whole URLs.
        # No connection is used again: its server may be closing it while the next call is sent.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=_AT_ONCE,
            max_keepalive_connections=0,
            network_backend=GuardedNetwork(Guard(allow_hosts, resolve)),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            return await self._status(web_url(url), headers, body)
        except HostNotFound as exc:  # an InputRefused, too, but one that may pass
            raise Unavailable(str(exc)) from exc
        except InputRefused as exc:
            raise CallRefused(str(exc)) from exc
        except httpcore.ConnectError as exc:  # the system's or OpenSSL's words
            raise Unavailable(f"it could not be connected to ({exc})") from exc
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,  # its words may be the answer's
            httpcore.TimeoutException,
        ) as exc:
            raise Unavailable(f"it did not answer properly ({type(exc).__name__})") from exc

    async def _status(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> int:
        """Send a POST and return the status; the rest of the answer is not read."""
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        async with self._pool.stream(
            "POST",
            as_httpcore(url),
            headers=[(b"Host", url.netloc), (b"Connection", b"close"), *named],
            content=body,
            extensions={"timeout": {"connect": _CONNECT_SECONDS}},
        ) as answer:
            return answer.status
