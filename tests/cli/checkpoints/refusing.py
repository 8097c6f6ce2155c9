"""Server that refuses every request with a code of S3."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.cli.loopback import serving


class _Refusing(BaseHTTPRequestHandler):
    code: str

    def do_GET(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/xml")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def refusing(code: str) -> Iterator[str]:
    """Serve until the block ends; yield the server's URL."""
    handler = type("Handler", (_Refusing,), {"code": code})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        yield url
