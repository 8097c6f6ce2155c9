# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""The HTTP front of the tasks topic: keys, sizes and answers; what a body means the dialects know.

An instance counts its own requests: with several replicas a key has the throttle in each.
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import ModuleType
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models import strict_json
from models.errors import Unavailable
from models.role import Role
from models.settings import Settings
from models.task import Task
from models.version import VERSION
from serve_app.admission import Admission, NotAdmitted, Throttled
from serve_app.auth import Holder
from serve_app.body import Bodies, TooLarge, TooSlow, aside
from serve_app.context import Front
from serve_app.dialects import v1alpha1, v1alpha2
from serve_app.dialects.rules import INVALID, Accepted, Refused
from serve_app.native import problems
from serve_app.native.authentication import API_KEY
from serve_app.native.openapi import header, schemas
from serve_app.native.routes import add_routes
from serve_app.pages.routes import add_pages
from serve_app.path_hints import hint
from serve_app.problems import FULL_SECONDS, CatchAll, Problem
from serve_app.request_head import HeadAsGet, HeadCheck, HeadFault
from serve_app.request_limit import RequestLimit
from serve_app.slots import Full
from serve_app.submit import Submit

log = logging.getLogger("ray.serve.atelier.api")

DIALECTS = {"v1alpha1": v1alpha1, "v1alpha2": v1alpha2}

_SLASHES = re.compile(r"/+(v1alpha[12])/*")


def api(front: Front) -> FastAPI:
    """The front as an application."""
    app = Api(
        title="atelier",
        version=VERSION,
        description="Tasks in, pictures out: submitted, found, watched and cancelled over HTTP.",
        docs_url=None,  # the page of ours loads nothing from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.front = front
    bodies, wrong_keys = front.capacity.bodies, front.capacity.wrong_keys
    admission = Admission(keys=front.keys, wrong_keys=wrong_keys)
    for name, dialect in DIALECTS.items():
        parse = partial(dialect.parse, settings=front.settings, kinds=front.kinds)
        door = Door(name=name, parse=parse, submit=front.submit, admission=admission, bodies=bodies)
        app.add_api_route(f"/{name}", door.post, methods=["POST"], name=name, **_told(dialect))
    add_routes(app, front)
    add_pages(app, front)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    for error in (Problem, HTTPException, RequestValidationError, Unavailable, Full):
        app.add_exception_handler(error, on_error)
    app.add_middleware(Slashes)
    app.add_middleware(CatchAll, problem=unexpected)
    app.add_middleware(HeadAsGet)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=_trusted(front.settings))
    app.add_middleware(HeadCheck, problem=refused_head)
    app.add_middleware(RequestLimit, most=front.settings.limits.requests, problem=busy)
    return app


def _trusted(settings: Settings) -> list[str]:
    """Networks of proxies whose word on a client's address and scheme is taken."""
    return [str(network) for network in settings.ingress.trusted_proxies or ()]


class Api(FastAPI):
    """Tells OpenAPI of the schemas that are read and written by hand, too."""

    front: Front

    @override
    def openapi(self) -> dict[str, Any]:
        told = super().openapi()
        told["components"]["schemas"] |= schemas()
        return told


async def healthz() -> Mapping[str, str]:
    return {"status": "ok"}


async def on_error(request: Request, exc: Exception) -> Response:
    """An error as an answer, in the words of the API that was asked."""
    if isinstance(exc, HTTPException) and not _is_native(request.url.path):
        return _routed(request, exc).response()
    problem = _native_problem(request, exc)
    holder: Holder | None = getattr(request.state, "holder", None)
    context = {"api": "v1", "holder": holder.name if holder else None}
    problem.log("request_refused", method=request.method, path=request.url.path, **context)
    return problem.response()


def unexpected(path: str) -> Problem:
    return problems.unexpected() if _is_native(path) else Problem.unexpected()


def refused_head(path: str, fault: HeadFault) -> Problem:
    """The answer to a fault of a request's head, in the words of the API that was asked."""
    if _is_native(path):
        return problems.refused_head(fault)
    return Problem.told(fault.status, fault.status.phrase, hint=fault.remedy)


def busy(path: str) -> Problem:
    return problems.busy() if _is_native(path) else Problem.unavailable()


@dataclass(frozen=True, kw_only=True)
class Door:
    """One dialect's operation."""

    name: str
    parse: Callable[[bytes], Accepted]
    submit: Submit
    admission: Admission
    bodies: Bodies

    async def post(self, request: Request) -> Response:
        """Accept a task; what becomes of it is told on the results topic."""
        context: dict[str, Any] = {"api": self.name, "holder": None}
        try:
            holder = await self._admit(request)
            context["holder"] = holder.name
            accepted, task = await self._submit(request, holder)
        except Problem as exc:
            exc.log("submission_refused", **context)
            return exc.response()
        log.info("submission_accepted", extra={**context, **task.log_context()})
        return Response(strict_json.written(accepted.answer), media_type="application/json")

    async def _admit(self, request: Request) -> Holder:
        try:
            holder = await self.admission.holder(request)
        except Unavailable as exc:
            raise Problem.unavailable() from exc
        except Throttled as exc:  # with a key or without
            raise _too_many(exc.seconds) from None
        except NotAdmitted:
            raise Problem.told(HTTPStatus.UNAUTHORIZED, "Unauthorized") from None
        if not holder.role.has(Role.ARTIST):
            raise Problem.told(HTTPStatus.FORBIDDEN, "Forbidden")
        return holder

    async def _submit(self, request: Request, holder: Holder) -> tuple[Accepted, Task]:
        try:
            body = await self.bodies.read(request, holder.name)
            accepted = await aside(self.parse, body)
            return accepted, await self.submit(accepted.message, accepted.runtime, key=holder.name)
        except TooLarge as exc:
            raise Problem.told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Too Long") from exc
        except TooSlow as exc:
            raise Problem.later(HTTPStatus.REQUEST_TIMEOUT, str(exc), 1).closing() from exc
        except Full as exc:
            raise _full(exc).closing() from exc
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


def _is_native(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _routed(request: Request, exc: HTTPException) -> Problem:
    """The router's own answers (404, 405); a contract's clients know 404 without a hint."""
    path = request.url.path
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem.routed(exc, {"Allow": ", ".join(sorted(_methods(request)))})
    if exc.status_code == HTTPStatus.NOT_FOUND and not path.startswith("/v1alpha"):
        return Problem.told(HTTPStatus.NOT_FOUND, exc.detail, hint=hint(path, request.app.routes))
    return Problem.routed(exc)


def _native_problem(request: Request, exc: Exception) -> Problem:
    match exc:
        case Problem():
            return exc
        case RequestValidationError():
            return problems.invalid([{**e, "loc": e["loc"][1:]} for e in exc.errors()])
        case HTTPException():
            return problems.routed(exc, _methods(request))
        case Full():
            return problems.full(exc)
        case _:
            return problems.unavailable()


def _methods(request: Request) -> set[str]:
    """What the path can be asked for; the router itself tells of one operation only."""
    matching = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matching for method in route.methods}
    return methods | {"HEAD"} if "GET" in methods else methods


def _full(exc: Full) -> Problem:
    return _too_many(FULL_SECONDS) if exc.of_key else Problem.unavailable()


def _too_many(seconds: float) -> Problem:
    return Problem.later(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", seconds)


def _told(dialect: ModuleType) -> Mapping[str, Any]:
    """What OpenAPI says of an operation."""
    body = {"schema": dialect.REQUEST, "examples": dialect.EXAMPLES}
    content = {"required": True, "content": {"application/json": body}}
    text = {"application/json": {"schema": {"type": "string"}}}
    message = {"type": "object", "properties": {"message": {"type": "string"}}}
    told = {"application/json": {"schema": message}}
    later = {"headers": {"Retry-After": header("Seconds to wait before trying again.")}}
    return {
        "response_class": Response,
        "dependencies": [Security(API_KEY)],  # only tells OpenAPI; `Door` checks it
        "openapi_extra": {"requestBody": content},
        "responses": {
            200: {"content": {"application/json": {"schema": dialect.ANSWER}}},
            400: {"description": "Refused, with the reason as plain text", "content": text},
            401: {"description": "No valid key", "content": told},
            403: {"description": "A key that may only read", "content": told},
            408: {"description": "The body did not come in time", "content": told, **later},
            413: {"description": "A body over 10 MB", "content": told},
            429: {"description": "Too many requests with this key", "content": told, **later},
            503: {"description": "Not accepted; try again", "content": {"text/plain": {}}, **later},
        },
    }
