"""Problems: HTTP answers to requests that cannot be fulfilled, unexpected errors included."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from math import ceil
from traceback import format_tb
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models import strict_json

log = logging.getLogger("ray.serve.atelier.api")


RETRY_SECONDS = 2
"""Seconds to wait after a part of the platform was unavailable."""
FULL_SECONDS = 5
"""Seconds to wait after too many requests, streams or waits at once."""


def retry_after(seconds: float) -> Mapping[str, str]:
    """Make the header that says when to try again: in whole seconds, at least one."""
    return {"Retry-After": str(max(1, ceil(seconds)))}


class Problem(Exception):
    """Answer to a request that cannot be fulfilled, raised anywhere below the application."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        body: str,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.body = body
        self.media_type = media_type
        self.headers = headers

    @classmethod
    def retry_later(cls, status: HTTPStatus, message: str, seconds: float) -> "Problem":
        """Answer in API Gateway's form, with the seconds after which to try again."""
        return cls.with_message(status, message, retry_after(seconds))

    @classmethod
    def with_message(
        cls,
        status: HTTPStatus,
        message: str,
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> "Problem":
        """Answer in API Gateway's form; ``more`` stands in the body beside the message."""
        body = strict_json.written({"message": message, **more}, compact=True)
        return cls(status, message, body, "application/json", headers)

    @classmethod
    def refused(cls, text: str) -> "Problem":
        # Plain text under JSON's name: so the reference answers, and its clients know no other.
        return cls(HTTPStatus.BAD_REQUEST, text, text, "application/json")

    @classmethod
    def unavailable(cls) -> "Problem":
        text = "Service unavailable"
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return cls(status, text, text, "text/plain", retry_after(RETRY_SECONDS))

    @classmethod
    def routed(cls, exc: HTTPException, headers: Mapping[str, str] | None = None) -> "Problem":
        """Answer as the router does (404, 405)."""
        return cls.with_message(HTTPStatus(exc.status_code), exc.detail, headers or exc.headers)

    @classmethod
    def unexpected(cls) -> "Problem":
        return cls.with_message(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")

    def closing(self) -> "Problem":
        """Add ``Connection: close`` to this problem, as more of a body might come."""
        self.headers = {**(self.headers or {}), "Connection": "close"}
        return self

    def log(self, event: str, **context: Any) -> None:
        ours = self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        context |= {"status": int(self.status), "reason": self.reason}
        log.log(logging.WARNING if ours else logging.INFO, event, extra=context)

    def response(self) -> Response:
        return Response(self.body, self.status, self.headers, self.media_type)


class CatchAll:
    """Middleware that logs an unexpected error and answers it."""

    def __init__(
        self, app: ASGIApp, problem: Callable[[str], Problem] = lambda _: Problem.unexpected()
    ) -> None:
        self.app = app
        self.problem = problem
        """Function that makes the answer at a path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as exc:
            # Half an answer is out: only a broken connection tells a client that it is not whole.
            if started or scope["type"] != "http":
                raise
            _note(exc, scope)
            await self.problem(scope["path"]).response()(scope, receive, send)


def _note(exc: Exception, scope: Scope) -> None:
    """Log where an error happened, not its text, which may quote a body or a key."""
    context = {"error": type(exc).__name__, "where": "".join(format_tb(exc.__traceback__))}
    log.error("request_failed", extra={"path": scope["path"], **context})
