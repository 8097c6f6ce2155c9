# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""The HTTP front of the tasks topic: keys, sizes and answers; what a body means the dialects know.

An instance counts its own requests: with several replicas a key has the throttle in each.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import ModuleType
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import Unavailable
from models.settings import Settings
from models.task import Task
from serve_app.auth import Holder, Keys
from serve_app.dialects import v1alpha1, v1alpha2
from serve_app.dialects.rules import INVALID, Accepted, Kinds, Refused
from serve_app.problems import Problem, Rim, on_http_exception
from serve_app.submit import Submit

log = logging.getLogger("ray.serve.atelier.api")

LARGEST_BODY = 10 * 2**20
"""Bytes of a request's body, as at API Gateway."""

DIALECTS = {"v1alpha1": v1alpha1, "v1alpha2": v1alpha2}

_SLASHES = re.compile(r"/+(v1alpha[12])/*")
_KEY = APIKeyHeader(name="x-api-key", auto_error=False)  # only tells OpenAPI; `Door` checks it


def api(*, settings: Settings, submit: Submit, keys: Keys, kinds: Kinds) -> FastAPI:
    """The front as an application."""
    app = FastAPI(title="atelier", docs_url=None, redoc_url=None, redirect_slashes=False)
    for name, dialect in DIALECTS.items():
        parse = partial(dialect.parse, settings=settings, kinds=kinds)
        door = Door(name=name, parse=parse, submit=submit, keys=keys)
        app.add_api_route(f"/{name}", door.post, methods=["POST"], name=name, **_told(dialect))
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_middleware(Slashes)
    app.add_middleware(Rim)
    return app


async def healthz() -> Mapping[str, str]:
    return {"status": "ok"}


@dataclass(frozen=True, kw_only=True)
class Door:
    """One dialect's operation."""

    name: str
    parse: Callable[[bytes], Accepted]
    submit: Submit
    keys: Keys

    async def post(self, request: Request) -> Response:
        """Accept a task; what becomes of it is told on the results topic."""
        holder = self.keys.holder(request.headers.get("x-api-key", "").encode("latin-1"))
        context = {"api": self.name, "holder": holder.name if holder else None}
        try:
            _admit(holder)
            accepted, task = await self._submit(request)
        except Problem as exc:
            level = (
                logging.WARNING if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR else logging.INFO
            )
            log.log(level, "submission_refused", extra={**context, **exc.log_context()})
            return exc.response()
        log.info("submission_accepted", extra={**context, **task.log_context()})
        return Response(json.dumps(accepted.answer), media_type="application/json")

    async def _submit(self, request: Request) -> tuple[Accepted, Task]:
        try:
            accepted = self.parse(await _body(request))
            return accepted, await self.submit(accepted.message, accepted.runtime)
        except Refused as exc:
            raise Problem.refused(str(exc)) from exc
        except ClientDisconnect as exc:  # nobody will read it
            raise Problem.refused(INVALID) from exc
        except Unavailable as exc:
            raise Problem.unavailable() from exc


class Slashes:
    """Takes the doubled and trailing slashes that clients of the reference send."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (told := _SLASHES.fullmatch(scope["path"])):
            scope = {**scope, "path": f"/{told[1]}"}
        await self.app(scope, receive, send)


def _admit(holder: Holder | None) -> None:
    if holder is None:
        raise Problem.told(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    if not holder.bucket.take():
        raise Problem.told(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests")


async def _body(request: Request) -> bytes:
    """Read no more than is allowed, whatever was announced."""
    announced = request.headers.get("content-length", "")
    _limit(int(announced[:16]) if announced.isdecimal() else 0)
    body = bytearray()
    async for part in request.stream():
        body += part
        _limit(len(body))
    return bytes(body)


def _limit(size: int) -> None:
    if size > LARGEST_BODY:
        raise Problem.told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Too Long")


def _told(dialect: ModuleType) -> Mapping[str, Any]:
    """What OpenAPI says of an operation."""
    body = {"schema": dialect.REQUEST, "examples": dialect.EXAMPLES}
    content = {"required": True, "content": {"application/json": body}}
    text = {"application/json": {"schema": {"type": "string"}}}
    message = {"type": "object", "properties": {"message": {"type": "string"}}}
    told = {"application/json": {"schema": message}}
    return {
        "response_class": Response,
        "dependencies": [Security(_KEY)],
        "openapi_extra": {"requestBody": content},
        "responses": {
            200: {"content": {"application/json": {"schema": dialect.ANSWER}}},
            400: {"description": "Refused, with the reason as plain text", "content": text},
            401: {"description": "No valid key", "content": told},
            413: {"description": "A body over 10 MB", "content": told},
            429: {"description": "Too many requests with this key", "content": told},
            503: {"description": "Not accepted; try again", "content": {"text/plain": {}}},
        },
    }
