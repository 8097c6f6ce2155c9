"""Proxy before an emulator of S3: it keeps what was asked, holds requests back, or breaks off."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.cli.loopback import serving

_HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "expect"}


@dataclass(frozen=True)
class Asked:
    """Request that came."""

    method: str
    path: str
    range: str | None
    """Bytes that were asked for, as the header has them."""


def _never(_: Asked) -> bool:
    return False


@dataclass
class S3Proxy:
    """Orders of the proxy, and the requests that have come so far."""

    upstream: str
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    holds: Callable[[Asked], bool] = _never
    """Flag for each request: it is not answered until the proxy ends."""
    breaks: Callable[[Asked], bool] = _never
    """Flag for each request: half of its answer's body comes."""
    ended: threading.Event = field(default_factory=threading.Event)

    def parts(self) -> list[int]:
        """Return the numbers of the parts that were sent, in any order."""
        words = [urlsplit(each.path).query for each in self.asked if each.method == "PUT"]
        pairs = (word.partition("=") for query in words for word in query.split("&"))
        return sorted(int(number) for name, _, number in pairs if name == "partNumber")

    def ranges(self) -> list[str]:
        return [each.range for each in self.asked if each.range]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: S3Proxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = Asked(self.command, self.path, self.headers.get("range"))
        self.proxy.asked.append(asked)
        if self.proxy.holds(asked):
            self.proxy.ended.wait()
            self.close_connection = True
            return
        host = urlsplit(self.proxy.upstream).netloc
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request(self.command, self.path, body or None, dict(self.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"date", "server"}:
                self.send_header(name, value)
        size = str(len(data))
        if self.command == "HEAD":  # it says the size of what it does not send
            size = answer.headers.get("content-length", size)
        self.send_header("content-length", size)
        self.end_headers()
        broken = self.proxy.breaks(asked)
        self.wfile.write(data[: len(data) // 2] if broken else data)
        self.close_connection = broken or self.close_connection
        connection.close()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def s3_proxy(upstream: str) -> Iterator[S3Proxy]:
    """Serve before an emulator until the block ends."""
    proxy = S3Proxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server) as url:
        proxy.url = url
        try:
            yield proxy
        finally:
            proxy.ended.set()
