# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""ASGI application: the HTTP APIs, the pages, and the middleware around them."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from typing_extensions import override
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models.errors import Unavailable
from models.version import VERSION
from serve_app.context import Front
from serve_app.dialects.routes import DIALECTS
from serve_app.gateway_errors import GatewayErrors
from serve_app.http_api import ErrorForm, HttpApi
from serve_app.native.routes import NATIVE
from serve_app.pages.routes import add_pages
from serve_app.problems import CatchAll, Problem
from serve_app.request_head import HeadAsGet, HeadCheck, HeadFault
from serve_app.request_limit import RequestLimit
from serve_app.slots import Full

APIS: tuple[HttpApi, ...] = (DIALECTS, NATIVE)
"""HTTP APIs of the application, in the order of the OpenAPI description."""

_ELSEWHERE = GatewayErrors()


def api(front: Front) -> FastAPI:
    """Put the HTTP APIs together as one application.

    Each instance counts its own requests: with several replicas a key has the throttle in each.
    """
    app = Api(
        title="atelier",
        version=VERSION,
        description="Tasks in, pictures out: submitted, found, watched and cancelled over HTTP.",
        docs_url=None,  # the page of ours loads nothing from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.front = front
    for each in APIS:
        each.add_routes(app, front)
    add_pages(app, front)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    for error in (Problem, HTTPException, RequestValidationError, Unavailable, Full):
        app.add_exception_handler(error, on_error)
    # The last one added is the first that a request meets.
    # HeadAsGet ends a stream by an error. CatchAll, within it, lets that pass, as the answer began.
    app.add_middleware(CatchAll, problem=unexpected)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(front.trusted_proxies))
    app.add_middleware(HeadCheck, problem=refused_head)
    # Outermost: whatever is too much is refused before anything else looks at it.
    app.add_middleware(RequestLimit, most=front.limits.requests, problem=busy)
    return app


class Api(FastAPI):
    """Application whose OpenAPI description also has the schemas that are read by hand."""

    front: Front

    @override
    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        for each in APIS:
            document["components"]["schemas"] |= each.schemas()
        return document


def errors_at(path: str) -> ErrorForm:
    """Find the form of errors at a path: that of its API, or API Gateway's where it has none."""
    return next((each.errors for each in APIS if each.has(path)), _ELSEWHERE)


async def healthz() -> Mapping[str, str]:
    return {"status": "ok"}


async def on_error(request: Request, exc: Exception) -> Response:
    return errors_at(request.url.path).refused(request, exc).response()


def unexpected(path: str) -> Problem:
    return errors_at(path).unexpected()


def refused_head(path: str, fault: HeadFault) -> Problem:
    return errors_at(path).refused_head(fault)


def busy(path: str) -> Problem:
    return errors_at(path).busy()
