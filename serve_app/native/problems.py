"""Problems of the native API, as problem details (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from typing_extensions import override

from models.native import FieldError, ProblemView
from models.plain import plain
from models.settings.base import allowed, path_of
from serve_app.auth import Holder
from serve_app.http_api import ErrorForm, methods_at
from serve_app.problems import FULL_SECONDS, RETRY_SECONDS, Problem, retry_after as retry_header
from serve_app.request_head import HeadFault
from serve_app.slots import Full

MEDIA_TYPE = "application/problem+json"

MOST_ERRORS = 50
"""Most wrong fields of one request that an answer names."""
_LONGEST_PATH = 200  # characters
_CORRECT = "Correct what `errors` names."


class ProblemKind(Enum):
    """Kind of problem, with its word, HTTP status and title; all three are stable."""

    MALFORMED = "malformed-body", 400, "The body is not proper JSON"
    MALFORMED_HEAD = "malformed-head", 400, "The request's head is not proper HTTP"
    UNAUTHORIZED = "unauthorized", 401, "A valid API key is needed"
    FORBIDDEN = "forbidden", 403, "The API key may not do that"
    NOT_FOUND = "not-found", 404, "There is no such thing"
    NOT_ALLOWED = "method-not-allowed", 405, "That cannot be done with this"
    SLOW_BODY = "request-timeout", 408, "The body did not come in time"
    IN_PROGRESS = "idempotency-in-progress", 409, "A request with this key is under way"
    TOO_LARGE = "too-large", 413, "The task is too large"
    URL_TOO_LONG = "url-too-long", 414, "The URL is too long"
    INVALID = "invalid-request", 422, "The request is not valid"
    UNKNOWN_RUNTIME = "unknown-runtime", 422, "There is no such runtime"
    UNSUPPORTED_KIND = "unsupported-kind", 422, "The runtime cannot do this kind of task"
    UNSIGNED_CALLBACK = "unsigned-callback", 422, "No callback can be signed"
    KEY_REUSED = "idempotency-key-reused", 422, "The idempotency key was used for another task"
    TOO_MANY = "too-many-requests", 429, "Too many requests with this API key"
    TOO_MANY_AT_ONCE = "too-many-at-once", 429, "Too much at once with this API key"
    TOO_MANY_STRANGERS = (
        "too-many-unauthorized",
        429,
        "Too many requests without a valid API key",
    )
    HEAD_TOO_LARGE = "head-too-large", 431, "The header fields are too large"
    UNEXPECTED = "internal-error", 500, "Something went wrong here"
    NOT_HERE = "not-here", 501, "That cannot be done through this way in"
    BUSY = "busy", 503, "Too much at once"
    UNAVAILABLE = "unavailable", 503, "Not now; try again"

    def __init__(self, word: str, status: int, title: str) -> None:
        self.type = f"urn:atelier:{word}"
        self.status = HTTPStatus(status)
        self.title = title

    def problem(
        self,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        retry_after: float | None = None,
    ) -> Problem:
        """Make a problem of this kind, to be raised; ``retry_after`` is in seconds."""
        view = self.view(detail, errors)
        headers = {} if retry_after is None else retry_header(retry_after)
        return Problem(self.status, self.type, view.model_dump_json(), MEDIA_TYPE, headers)

    def at(self, field: str, message: str) -> Problem:
        """Make a problem with one field of the request."""
        return self.problem(_CORRECT, [FieldError(field=field, message=message)])

    def view(self, detail: str, errors: Sequence[FieldError] = ()) -> ProblemView:
        return ProblemView(
            type=self.type,
            title=self.title,
            status=self.status,
            detail=detail,
            errors=tuple(errors),
        )


_HEADS: Mapping[HeadFault, ProblemKind] = {
    HeadFault.TOO_LARGE: ProblemKind.HEAD_TOO_LARGE,
    HeadFault.TOO_LONG: ProblemKind.URL_TOO_LONG,
    HeadFault.REPEATED: ProblemKind.MALFORMED_HEAD,
    HeadFault.NO_HOST: ProblemKind.MALFORMED_HEAD,
}


def invalid(errors: Iterable[Mapping[str, Any]], model: type[BaseModel] | None = None) -> Problem:
    """Make a problem of pydantic's errors, `MOST_ERRORS` at most; ``model`` has the known keys."""
    fields = [
        FieldError(field=path_of(e["loc"])[:_LONGEST_PATH], message=_message(e, model))
        for e in islice(errors, MOST_ERRORS)
    ]
    return ProblemKind.INVALID.problem(_CORRECT, fields)


def full(exc: Full) -> Problem:
    """Make the problem of a request for which no slot is free."""
    kind = ProblemKind.TOO_MANY_AT_ONCE if exc.of_key else ProblemKind.BUSY
    return kind.problem(f"{exc}; try again when some have ended.", retry_after=FULL_SECONDS)


class ProblemDetails(ErrorForm):
    """Form of the native API's errors: problem details (RFC 9457); each refusal is logged."""

    @override
    def refused(self, request: Request, exc: Exception) -> Problem:
        problem = _answered(request, exc)
        holder: Holder | None = getattr(request.state, "holder", None)
        context = {"api": "v1", "holder": holder.name if holder else None}
        problem.log("request_refused", method=request.method, path=request.url.path, **context)
        return problem

    @override
    def refused_head(self, fault: HeadFault) -> Problem:
        return _HEADS[fault].problem(fault.remedy)

    @override
    def busy(self) -> Problem:
        detail = "There are too many requests here at once; try again."
        return ProblemKind.BUSY.problem(detail, retry_after=RETRY_SECONDS)

    @override
    def unexpected(self) -> Problem:
        return ProblemKind.UNEXPECTED.problem("It was logged; trying again may help.")


def _answered(request: Request, exc: Exception) -> Problem:
    match exc:
        case Problem():
            return exc
        case RequestValidationError():
            # FastAPI's paths begin with where a parameter stands: path, query or header.
            return invalid([{**e, "loc": e["loc"][1:]} for e in exc.errors()])
        case HTTPException(status_code=HTTPStatus.NOT_FOUND):
            return ProblemKind.NOT_FOUND.problem(
                "There is nothing at this path; /docs has them all."
            )
        case HTTPException():
            return _not_allowed(methods_at(request))
        case Full():
            return full(exc)
        case _:
            detail = "A part of the platform does not answer; it may soon."
            return ProblemKind.UNAVAILABLE.problem(detail, retry_after=RETRY_SECONDS)


def _not_allowed(methods: Iterable[str]) -> Problem:
    allowed_here = ", ".join(sorted(methods))
    problem = ProblemKind.NOT_ALLOWED.problem(f"This path knows {allowed_here}.")
    problem.headers = {"Allow": allowed_here}
    return problem


def _message(error: Mapping[str, Any], model: type[BaseModel] | None) -> str:
    match error["type"]:
        case "extra_forbidden":
            known = f"; {allowed(error['loc'], model)}" if model else ""
            return f"unknown key{known}"
        case "missing":
            return "is missing"
        case _:
            return plain(error)
