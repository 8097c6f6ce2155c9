"""Calls of AWS that the emulator lacks, answered as AWS documents them; others go on to it."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.cli.loopback import serving

Answer = tuple[int, Mapping[str, Any]]
Call = Callable[[Mapping[str, Any]], Answer]
ADDON_VERSION = "v1.36.2-eksbuild.1"
_DROPPED = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}


def supported_addons(_: Mapping[str, Any]) -> Answer:
    """Answer EKS's DescribeAddonVersions, in the form of its API reference."""
    version = {"addonVersion": ADDON_VERSION, "compatibilities": [{"defaultVersion": True}]}
    return 200, {"addons": [{"addonName": "kube-proxy", "addonVersions": [version]}]}


@contextmanager
def proxied(endpoint: str) -> Iterator[str]:
    """Serve in front of the emulator at this endpoint; yield the URL."""
    calls = {"/addons/supported-versions": supported_addons}
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(endpoint, calls))) as url:
        yield url


def _handler(endpoint: str, calls: Mapping[str, Call]) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            call = calls.get(self.headers.get("x-amz-target", path))
            if call is None:
                self._pass_on(body)
            else:
                code, said = call(json.loads(body or b"{}"))
                self._say(code, json.dumps(said).encode(), {"Content-Type": "application/json"})

        do_GET = do_POST  # noqa: N815 - the library's own names

        def _pass_on(self, body: bytes) -> None:
            there = http.client.HTTPConnection(urlsplit(endpoint).netloc)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in _DROPPED}
            self._say(answer.status, answer.read(), kept)
            there.close()

        def _say(self, code: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
            pass

    return Handler
