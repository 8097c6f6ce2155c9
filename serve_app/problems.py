"""HTTP answers that are not a task's, and the rim that makes an answer of every error."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from traceback import format_tb
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("ray.serve.atelier.api")


class Problem(Exception):
    """An answer other than the one that was hoped for."""

    def __init__(self, status: HTTPStatus, reason: str, body: str, media_type: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.body = body
        self.media_type = media_type

    @classmethod
    def told(cls, status: HTTPStatus, message: str) -> "Problem":
        """As API Gateway tells it."""
        return cls(status, message, _message(message), "application/json")

    @classmethod
    def refused(cls, text: str) -> "Problem":
        # Plain text under JSON's name: so the reference answers, and its clients know no other.
        return cls(HTTPStatus.BAD_REQUEST, text, text, "application/json")

    @classmethod
    def unavailable(cls) -> "Problem":
        text = "Service unavailable"
        return cls(HTTPStatus.SERVICE_UNAVAILABLE, text, text, "text/plain")

    def log_context(self) -> Mapping[str, Any]:
        return {"status": int(self.status), "reason": self.reason}

    def response(self) -> Response:
        return Response(self.body, self.status, media_type=self.media_type)


async def on_http_exception(_: Request, exc: Exception) -> Response:
    """The router's own answers (404, 405)."""
    assert isinstance(exc, HTTPException)  # noqa: S101  # what it is registered for
    body = _message(exc.detail)
    return Response(body, exc.status_code, exc.headers, media_type="application/json")


class Rim:
    """The outermost part of an application: an error that nobody expected is logged and told."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as exc:
            if started or scope["type"] != "http":
                raise
            _note(exc, scope)
            answer = Problem.told(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
            await answer.response()(scope, receive, send)


def _message(text: str) -> str:
    return json.dumps({"message": text}, separators=(",", ":"))


def _note(exc: Exception, scope: Scope) -> None:
    """Where it happened, not what it says: an error's text may quote a body or a key."""
    context = {"error": type(exc).__name__, "where": "".join(format_tb(exc.__traceback__))}
    log.error("request_failed", extra={"path": scope["path"], **context})
