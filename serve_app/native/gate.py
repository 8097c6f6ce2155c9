"""What every operation of the native API begins with: who asks, and what for."""

from collections import Counter
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from models.native import TaskRequest
from models.role import Role
from models.strict_json import DEEPEST
from serve_app.auth import Keys
from serve_app.body import LARGEST_BODY, TooLarge, whole_body
from serve_app.dialects.rules import Refused, read
from serve_app.native.asked import MANY
from serve_app.native.problems import Sort, invalid
from serve_app.problems import Problem

API_KEY = APIKeyHeader(name="x-api-key", auto_error=False)


class Gate:
    """Lets holders of a key in, each as often as the throttle allows."""

    def __init__(self, keys: Keys, needs: Role = Role.VIEWER) -> None:
        self.keys = keys
        self.needs = needs

    async def __call__(
        self, request: Request, key: Annotated[str | None, Security(API_KEY)]
    ) -> None:
        holder = self.keys.holder((key or "").encode("latin-1"))
        if holder is None:
            raise Sort.UNAUTHORIZED.problem("The header x-api-key has no key that is known here.")
        if not holder.bucket.take():
            pause = holder.bucket.seconds_to_next()
            raise Sort.TOO_MANY.problem("Slow down; Retry-After says.", retry_after=pause)
        request.state.holder = holder
        if not holder.role.has(self.needs):
            raise Sort.FORBIDDEN.problem(
                f"The key's role is {holder.role}; this needs {self.needs}, which an operator of"
                " the platform gives."
            )
        _refuse_repeated(request)


def _refuse_repeated(request: Request) -> None:
    """Of two values for one parameter, such as a submission to be cancelled, none is guessed."""
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if times > 1 and name not in MANY:
            raise Sort.INVALID.at(name, "must be given once")


async def task_request(request: Request) -> TaskRequest:
    """The body, whatever it calls itself."""
    try:
        return TaskRequest.model_validate(read(await whole_body(request)))
    except (Refused, ClientDisconnect):
        raise _malformed() from None
    except TooLarge:
        raise Sort.TOO_LARGE.problem(f"A body has at most {LARGEST_BODY} bytes.") from None
    except ValidationError as exc:
        raise invalid(exc.errors(include_url=False), TaskRequest) from None


def _malformed() -> Problem:
    return Sort.MALFORMED.problem(
        f"The body must be JSON in UTF-8, without NaN or infinity, at most {DEEPEST} levels deep."
    )
