"""Errors in the form that API Gateway gives them: JSON with a message."""

from http import HTTPStatus

from fastapi import Request
from starlette.exceptions import HTTPException
from typing_extensions import override

from serve_app.http_api import ErrorForm, methods_at
from serve_app.path_hints import hint
from serve_app.problems import FULL_SECONDS, Problem
from serve_app.request_head import HeadFault
from serve_app.slots import Full


class GatewayErrors(ErrorForm):
    """Form of errors at paths that belong to no API, with a hint where the API is."""

    @override
    def refused(self, request: Request, exc: Exception) -> Problem:
        match exc:
            case Problem():
                return exc
            case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
                return Problem.routed(exc, {"Allow": ", ".join(sorted(methods_at(request)))})
            case HTTPException(status_code=HTTPStatus.NOT_FOUND):
                return self.not_found(request, exc)
            case HTTPException():
                return Problem.routed(exc)
            case Full():
                return full(exc)
            case _:
                return Problem.unavailable()

    def not_found(self, request: Request, exc: HTTPException) -> Problem:
        """Make the answer where nothing is at the path."""
        nearest = hint(request.url.path, request.app.routes)
        return Problem.with_message(HTTPStatus.NOT_FOUND, exc.detail, hint=nearest)

    @override
    def refused_head(self, fault: HeadFault) -> Problem:
        return Problem.with_message(fault.status, fault.status.phrase, hint=fault.remedy)

    @override
    def busy(self) -> Problem:
        return Problem.unavailable()

    @override
    def unexpected(self) -> Problem:
        return Problem.unexpected()


def full(exc: Full) -> Problem:
    """Make the answer to a request without a slot: 429 to its key's excess, 503 to everybody's."""
    return too_many(FULL_SECONDS) if exc.of_key else Problem.unavailable()


def too_many(seconds: float) -> Problem:
    """Make the answer to requests that came too often; seconds to wait stand in a header."""
    return Problem.retry_later(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests", seconds)
