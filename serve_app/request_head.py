"""Check of a request's head, before anything else reads it.

Refuses a head that is too large to be passed on, and one that two readers could take for two
different requests: a proxy before us may have read the other.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.problems import Problem

LARGEST_HEAD = 64 * 1024
"""Most bytes of all names and values of the header fields."""
MOST_FIELDS = 100
"""Most header fields of a request."""
LONGEST_TARGET = 16 * 1024
"""Most bytes of path and query, as they were sent."""

# Of two such fields a proxy may take the first and we the last: whose key it is and where a body
# ends would then depend on who looks.
_SINGLE = frozenset(
    {b"host", b"x-api-key", b"idempotency-key", b"last-event-id", b"content-length"}
)
# A name, an IPv4 address or an IPv6 one in brackets, then perhaps a port. No user, path or blank:
# the URLs of answers are made of it.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_AUTHORITY = re.compile(r"https?://[^/?#]*")

Fields = Sequence[tuple[bytes, bytes]]


class HeadFault(Enum):
    """Fault of a request's head, with the HTTP status of the answer and a remedy."""

    TOO_LARGE = (
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"A request has at most {MOST_FIELDS} header fields with {LARGEST_HEAD} bytes in all.",
    )
    TOO_LONG = (
        HTTPStatus.REQUEST_URI_TOO_LONG,
        f"A path with its query has at most {LONGEST_TARGET} bytes.",
    )
    REPEATED = (
        HTTPStatus.BAD_REQUEST,
        "Host, x-api-key, Idempotency-Key, Last-Event-ID and Content-Length are sent once each.",
    )
    NO_HOST = (
        HTTPStatus.BAD_REQUEST,
        "Host must be a name or an address, with a port or without.",
    )

    def __init__(self, status: HTTPStatus, remedy: str) -> None:
        self.status = status
        self.remedy = remedy


class HeadCheck:
    """Middleware that refuses faulty heads, and reads an absolute target as the path in it."""

    def __init__(self, app: ASGIApp, problem: Callable[[str, HeadFault], Problem]) -> None:
        """Guard an application; ``problem`` makes the answer to a fault at a path."""
        self.app = app
        self.problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif fault := fault_of(scope):
            problem = self.problem(scope["path"], fault)
            problem.log("head_refused")
            await problem.response()(scope, receive, send)
        else:
            await self.app({**scope, **_read(scope)}, receive, send)


def fault_of(scope: Scope) -> HeadFault | None:
    """Find the first fault of a request's head."""
    fields: Fields = scope["headers"]
    # ASGI leaves raw_path to the server: Mangum gives None.
    target = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    if len(target) + len(scope.get("query_string", b"")) > LONGEST_TARGET:
        return HeadFault.TOO_LONG
    size = sum(len(name) + len(value) for name, value in fields)
    if len(fields) > MOST_FIELDS or size > LARGEST_HEAD:
        return HeadFault.TOO_LARGE
    times = Counter(name for name, _ in fields if name in _SINGLE)
    if any(number > 1 for number in times.values()):
        return HeadFault.REPEATED
    host = dict(fields).get(b"host")
    return HeadFault.NO_HOST if host and not _HOST.fullmatch(host) else None


def _read(scope: Scope) -> Scope:
    """Return path and header fields as the application is to see them."""
    # An empty Host is HTTP's way to have none; a URL could not be made of it.
    fields = [(name, value) for name, value in scope["headers"] if value or name != b"host"]
    path: str = scope["path"]
    # A proxy's form of a target, which every server has to take (RFC 9112, 3.2.2).
    if authority := _AUTHORITY.match(path):
        path = path[authority.end() :] or "/"
    return {"headers": fields, "path": path}


class HeadAsGet:
    """Middleware that answers HEAD as GET without the body, wherever GET works."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        answer = _HeadOnly(send)
        try:
            await self.app({**scope, "method": "GET"}, receive, answer)
        except Exception:
            if not answer.left:
                raise


class _HeadOnly:
    """Sender of an answer's head alone, which leaves a stream at its first part."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.left = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.send(message)
            # The server is done with that; of what comes later nothing is sent.
            await self.send({"type": "http.response.body", "body": b""})
        elif message.get("more_body"):
            self.left = True
            # So do servers by ASGI when a client has left; a streaming response then ends.
            raise OSError("a HEAD has its whole answer")
