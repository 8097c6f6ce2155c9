"""Errors of the client; the text of each says what to do.

AtelierError
├── Misused          what was given cannot be sent; nothing was
├── Refused          the platform said no, and why
│   ├── Unauthorized
│   └── NotFound
├── Unreachable      nothing answered, however often it was tried
│   └── Unavailable  something answered, but not for now
├── TimedOut         the deadline passed first
├── TooLarge         an artifact has more bytes than were to be taken
└── Misaddressed     what answered is not the platform's API
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.native import FieldError, ProblemView, TaskRequest
from models.plain import plain
from models.settings.base import allowed

Model = TypeVar("Model", bound=BaseModel)

_IN_PROGRESS = "urn:atelier:idempotency-in-progress"
_FORBIDDEN = "urn:atelier:forbidden"
_FOREIGN = "about:blank"
_SERVER = 500
_TOO_LARGE = 413
# Without 500: a fault of the platform itself is not mended by asking again.
_PASSING = frozenset({408, 429, 502, 503, 504})
_LONGEST = 300  # characters quoted of what is not ours


class AtelierError(Exception):
    """Base of the client's errors."""


class Misused(AtelierError):
    """Arguments that cannot be sent."""

    @classmethod
    def of(cls, error: ValidationError) -> "Misused":
        """Name each wrong field of a `TaskRequest` in a line of its own; values are not quoted."""
        wrong = error.errors(include_url=False, include_input=False)
        return cls(
            "\n".join(f"{'.'.join(map(str, fault['loc']))}: {_described(fault)}" for fault in wrong)
        )


class Refused(AtelierError):
    """Refusal by the platform; its text says why."""

    def __init__(self, problem: ProblemView) -> None:
        wrong = (f"{error.field}: {error.message}" for error in problem.errors)
        super().__init__("\n".join(wrong) or problem.detail or problem.title)
        self.problem = problem

    @property
    def fields(self) -> tuple[FieldError, ...]:
        """Wrong fields of the request, each by its path, such as ``content.steps``."""
        return self.problem.errors


class Unauthorized(Refused):
    """Refusal because the API key is unknown, or its role may not do that."""


class NotFound(Refused):
    """Refusal because there is no such task or artifact."""


class Unreachable(AtelierError):
    """Silence: nothing answered, however often it was tried."""

    passing = True
    """Flag: another try may succeed."""
    retry_after = 0.0
    """Seconds after which the platform asked to be tried again; 0: it did not say."""

    @classmethod
    def at(cls, url: httpx.URL, why: object) -> "Unreachable":
        return cls(
            f"no answer from {shown(url)} ({why});"
            " is it the right URL, and is the platform up (`atelier up`)?"
        )


class Unavailable(Unreachable):
    """Answer that there can be no answer now."""

    def __init__(self, problem: ProblemView, where: str, retry_after: float = 0) -> None:
        later = f"; try again in {retry_after:.0f} s" if retry_after else ""
        super().__init__(f"{where} answers {problem.status}: {problem.detail}{later}")
        self.problem = problem
        self.retry_after = retry_after
        self.passing = problem.status in _PASSING or problem.type == _IN_PROGRESS


class TimedOut(AtelierError):
    """Deadline that passed before the task ended; the task goes on."""

    def __init__(self) -> None:
        super().__init__("the task has not ended in time; it goes on, and can be watched again")


class TooLarge(AtelierError):
    """Artifact with more bytes than ``most``; nothing of it is kept."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the artifact has more than {most:,} bytes; nothing of it is kept")


class Misaddressed(AtelierError):
    """Answer from something that is not the platform's API."""

    @classmethod
    def at(cls, url: httpx.URL, why: object) -> "Misaddressed":
        return cls(f"what answers at {shown(url)} is no atelier with /v1 ({why}); check the URL")

    @classmethod
    def packed(cls, url: httpx.URL, codings: Iterable[str]) -> "Misaddressed":
        """Say that an answer came packed, which nobody asked for."""
        named = ", ".join(sorted(codings))[:_LONGEST]
        return cls(
            f"what answers at {shown(url)} packs its answer (content-encoding: {named!r}) unasked;"
            " switch that off in the store, or in the proxy before it"
        )


def error_of(response: httpx.Response) -> AtelierError:
    """Make an error of an answer that is no success."""
    where, problem = shown(response.request.url), _problem_of(response)
    match problem.status:
        # API Gateway says 403 to an unknown key; the platform says it of a role, in its own form.
        case 403 if problem.type == _FORBIDDEN:
            return Unauthorized(problem)
        case 401 | 403:
            return Unauthorized(_with_detail(problem, f"the API key is not known at {where}"))
        case status if status in _PASSING or status >= _SERVER or problem.type == _IN_PROGRESS:
            return Unavailable(problem, where, _seconds(response))
        # Not in our form: a proxy or another server. Only its 413 is about the request.
        case status if problem.type == _FOREIGN and status != _TOO_LARGE:
            return Misaddressed.at(response.request.url, f"status {status}")
        case 404:
            return NotFound(problem)
        case _:
            return Refused(problem)


def link_error(response: httpx.Response) -> AtelierError:
    """Make an error of a store's answer to a link: one that says no has lost the artifact."""
    problem, where = _problem_of(response), shown(response.request.url)
    if problem.status in _PASSING or problem.status >= _SERVER:
        return Unavailable(problem, where, _seconds(response))
    # S3 says 403 of an expired link, and of a missing object to those who may not list.
    gone = f"{where} answers {problem.status}: the artifact is not there any more"
    return NotFound(_with_detail(problem, gone))


def link_of(response: httpx.Response) -> httpx.URL:
    """Target of a redirect: an HTTP(S) address without a user name and password.

    Raises:
        Misaddressed: the answer has no such target.
    """
    with suppress(httpx.InvalidURL, ValueError):
        location = response.extensions["location"]
        link = response.url.join(location)
        if location and link.scheme in {"http", "https"} and link.host and not link.userinfo:
            return link
    raise Misaddressed.at(response.request.url, "an artifact's link leads to no web address")


def parsed(model: type[Model], response: httpx.Response) -> Model:
    """Read an answer's body as a model.

    Raises:
        Misaddressed: the body is something else.
    """
    try:
        return read(model, response.content)
    except ValueError:
        raise Misaddressed.at(response.request.url, f"no {model.__name__}") from None


def read(model: type[Model], body: bytes | str) -> Model:
    """Read a JSON document as a model; its strings may hold half of a surrogate pair.

    Raises:
        ValueError: the document is something else, or no JSON.
    """
    try:
        # pydantic's own reader of JSON refuses half of a surrogate pair; Python's lets it be.
        return model.model_validate(json.loads(body))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def shown(url: httpx.URL) -> str:
    """Write a URL without a password, and without a query, which may be a link's signature."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"


def _problem_of(response: httpx.Response) -> ProblemView:
    """Read an error's body, which may be that of a gateway or proxy with a form of its own."""
    with suppress(ValueError):
        return read(ProblemView, response.content)
    status, title = response.status_code, response.reason_phrase
    # Its charset may be one of Python's codecs that make no text.
    detail = response.content.decode(errors="replace").strip()[:_LONGEST] or title
    return ProblemView(type=_FOREIGN, title=title, status=status, detail=detail)


def _described(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key; {allowed(error['loc'], TaskRequest)}"
        case "missing":
            return "is missing"
    return plain(error)


def _with_detail(problem: ProblemView, detail: str) -> ProblemView:
    return problem.model_copy(update={"detail": detail})


def _seconds(response: httpx.Response) -> float:
    """Read ``Retry-After``, in seconds or as a date; 0 if it says nothing."""
    text = response.headers.get("retry-after", "")
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(ValueError, TypeError, OverflowError):  # a date may lack its zone
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return 0.0
