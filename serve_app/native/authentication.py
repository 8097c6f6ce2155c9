"""Dependencies of the native API's operations: the caller's key, the body, a stream's slot."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Request, Security
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from models.native import TaskRequest
from models.role import Role
from models.strict_json import DEEPEST, MOST_VALUES, TooMany, read
from serve_app.admission import API_KEY, Admission, NotAdmitted, Throttled, WrongKeyThrottled
from serve_app.auth import Holder
from serve_app.body import LARGEST_BODY, TooLarge, TooSlow, parse_body
from serve_app.capacity import Capacity
from serve_app.native.parameters import MANY
from serve_app.native.problems import MOST_ERRORS, ProblemKind, full, invalid
from serve_app.problems import Problem
from serve_app.slots import Full

Model = TypeVar("Model", bound=BaseModel)

_UNKNOWN = "The header x-api-key has no key that is known here."


class Authentication:
    """Dependency that admits holders of a key with a role or a higher one."""

    def __init__(self, admission: Admission, needs: Role = Role.VIEWER) -> None:
        self.admission = admission
        self.needs = needs

    async def __call__(self, request: Request, _: Annotated[str | None, Security(API_KEY)]) -> None:
        holder = request.state.holder = await self._holder(request)
        if not holder.role.has(self.needs):
            raise ProblemKind.FORBIDDEN.problem(
                f"The key's role is {holder.role}; this needs {self.needs}, which an operator of"
                " the platform gives."
            )
        _refuse_repeated(request)

    async def _holder(self, request: Request) -> Holder:
        try:
            return await self.admission.holder(request)
        except WrongKeyThrottled as exc:  # a Throttled, which is a NotAdmitted
            raise ProblemKind.TOO_MANY_STRANGERS.problem(
                _UNKNOWN, retry_after=exc.seconds
            ) from None
        except Throttled as exc:
            detail = "Slow down; Retry-After says."
            raise ProblemKind.TOO_MANY.problem(detail, retry_after=exc.seconds) from None
        except NotAdmitted:
            raise ProblemKind.UNAUTHORIZED.problem(_UNKNOWN) from None


def _refuse_repeated(request: Request) -> None:
    """Refuse a parameter that was given twice: it is not guessed which of them is meant."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if times > 1 and name not in MANY:
            raise ProblemKind.INVALID.at(name, "must be given once")


def json_body(model: type[Model]) -> Callable[[Request], Awaitable[Model]]:
    """Make the dependency that reads a body as this model, whatever its Content-Type."""

    async def read_body(request: Request) -> Model:
        return await _read(request, model)

    return read_body


async def task_request(request: Request) -> TaskRequest:
    """Read the body as a task's request, whatever its Content-Type."""
    return await _read(request, TaskRequest)


async def _read(request: Request, model: type[Model]) -> Model:
    try:
        body = await _capacity(request).bodies.read(request, request.state.holder.name)
        return await parse_body(partial(_parsed, model), body)
    except ClientDisconnect:
        raise _malformed() from None
    except TooLarge:
        raise ProblemKind.TOO_LARGE.problem(f"A body has at most {LARGEST_BODY} bytes.") from None
    except TooSlow as exc:
        raise ProblemKind.SLOW_BODY.problem(
            f"{exc}; send it again.", retry_after=1
        ).closing() from None
    except Full as exc:
        raise full(exc).closing() from None


def _parsed(model: type[Model], body: bytes) -> Model:
    try:
        given = read(body)
        _refuse_crowded(given)
        return model.model_validate(given)
    except TooMany:  # a ValueError, as is ValidationError: both stand before it
        detail = f"A body has at most {MOST_VALUES} values; pass pictures as links instead."
        raise ProblemKind.TOO_LARGE.problem(detail) from None
    except ValidationError as exc:
        raise invalid(exc.errors(include_url=False), model) from None
    except ValueError:
        raise _malformed() from None


def _refuse_crowded(given: Any) -> None:
    """Refuse more keys than there can be faults, before any of them is judged."""
    body = given if isinstance(given, dict) else {}
    callback = body.get("callback")
    events = callback.get("events") if isinstance(callback, dict) else None
    for field, value in (("", body), ("callback", callback), ("callback.events", events)):
        if isinstance(value, dict | list) and len(value) > MOST_ERRORS:
            raise ProblemKind.INVALID.at(
                field, f"has {len(value)} entries; at most {MOST_ERRORS} are read"
            )


async def stream_slot(request: Request) -> AsyncIterator[None]:
    """Hold a slot for a stream of events until its client has taken all of it or has left."""
    # FastAPI leaves this only after the response was sent, not when the operation returns.
    with _capacity(request).streams.held(request.state.holder.name):
        yield


def _capacity(request: Request) -> Capacity:
    capacity: Capacity = request.app.front.capacity
    return capacity


def _malformed() -> Problem:
    return ProblemKind.MALFORMED.problem(
        f"The body must be JSON in UTF-8, without NaN or infinity, at most {DEEPEST} levels deep."
    )
