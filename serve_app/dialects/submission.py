# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""Operation of a dialect: accepts a body as a task and publishes it, or refuses it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from models import strict_json
from models.errors import Unavailable
from models.role import Role
from models.task import Task
from serve_app.admission import Admission, NotAdmitted, Throttled
from serve_app.auth import Holder
from serve_app.body import Bodies, TooLarge, TooSlow, parse_body
from serve_app.dialects.rules import INVALID, Accepted, Refused
from serve_app.gateway_errors import full, too_many
from serve_app.problems import Problem
from serve_app.slots import Full
from serve_app.submit import Submit

log = logging.getLogger("ray.serve.atelier.api")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Endpoint of one dialect; answers its own errors, in the words of the reference."""

    api: str
    """Name of the dialect in logs."""
    parse: Callable[[bytes], Accepted]
    submit: Submit
    admission: Admission
    bodies: Bodies

    async def post(self, request: Request) -> Response:
        """Accept a task; what becomes of it is told on the results topic."""
        context: dict[str, Any] = {"api": self.api, "holder": None}
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
            raise too_many(exc.seconds) from None
        except NotAdmitted:
            raise Problem.with_message(HTTPStatus.UNAUTHORIZED, "Unauthorized") from None
        if not holder.role.has(Role.ARTIST):
            raise Problem.with_message(HTTPStatus.FORBIDDEN, "Forbidden")
        return holder

    async def _submit(self, request: Request, holder: Holder) -> tuple[Accepted, Task]:
        try:
            body = await self.bodies.read(request, holder.name)
            accepted = await parse_body(self.parse, body)
            task = replace(accepted.task, submission=self.submit.mint())
            message = accepted.message.sent_as(task.submission)
            await self.submit(task, message, key=holder.name)
        except TooLarge as exc:
            raise Problem.with_message(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Too Long"
            ) from exc
        except TooSlow as exc:
            raise Problem.retry_later(HTTPStatus.REQUEST_TIMEOUT, str(exc), 1).closing() from exc
        except Full as exc:
            raise full(exc).closing() from exc
        except Refused as exc:
            raise Problem.refused(str(exc)) from exc
        except ClientDisconnect as exc:  # nobody will read it
            raise Problem.refused(INVALID) from exc
        except Unavailable as exc:
            raise Problem.unavailable() from exc
        else:
            return accepted, task
