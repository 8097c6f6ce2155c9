"""Routes of the native API, with the description of each for OpenAPI."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Security
from starlette.responses import Response

from models.dead_letters import PurgeRequest, RedriveRequest
from models.role import Role
from serve_app.admission import Admission
from serve_app.context import Front
from serve_app.http_api import HttpApi
from serve_app.native import examples
from serve_app.native.authentication import Authentication
from serve_app.native.catalogue import Catalogue
from serve_app.native.dead_letters import DeadLetterEndpoints
from serve_app.native.openapi import answer, body, problems, schemas, stream
from serve_app.native.problems import ProblemDetails, ProblemKind
from serve_app.native.tasks import Tasks
from serve_app.openapi import header
from serve_app.watching.estimates import Estimates

_REFUSALS = (
    ProblemKind.MALFORMED,
    ProblemKind.FORBIDDEN,
    ProblemKind.SLOW_BODY,
    ProblemKind.IN_PROGRESS,
    ProblemKind.TOO_LARGE,
    ProblemKind.UNKNOWN_RUNTIME,
    ProblemKind.UNSUPPORTED_KIND,
    ProblemKind.UNSIGNED_CALLBACK,
    ProblemKind.KEY_REUSED,
    ProblemKind.TOO_MANY_AT_ONCE,
)
_LETTER_REFUSALS = (
    ProblemKind.MALFORMED,
    ProblemKind.FORBIDDEN,
    ProblemKind.NOT_FOUND,
    ProblemKind.SLOW_BODY,
    ProblemKind.TOO_LARGE,
    ProblemKind.TOO_MANY_AT_ONCE,
)
_SENT = {
    "Location": header("The task's URL."),
    "Idempotency-Replayed": header("`true`: an earlier request with this key has published it."),
}
_THERE = {
    "description": "It is there.",
    "headers": {"Location": header("Where anyone can get it, for an hour at most.")},
}


def add_routes(app: FastAPI, front: Front) -> None:
    """Add the native API to an application.

    Paths below a task's come before its own, since an id may have slashes.
    """
    estimates = Estimates(front)
    tasks, catalogue = Tasks(front, estimates), Catalogue(front, estimates)
    letters = DeadLetterEndpoints(front)
    admission = Admission(keys=front.keys, wrong_keys=front.capacity.wrong_keys)
    gates = {role: Security(Authentication(admission, role)) for role in Role}

    def add(
        path: str,
        endpoint: Callable[..., Any],
        method: str = "GET",
        *,
        role: Role | None = None,
        **description: Any,
    ) -> None:
        tag = path.split("/")[1]
        gate = gates[role or (Role.VIEWER if method == "GET" else Role.ARTIST)]
        app.add_api_route(
            f"/v1{path}", endpoint, methods=[method], tags=[tag], dependencies=[gate], **description
        )

    add(
        "/tasks",
        tasks.submit,
        "POST",
        operation_id="submitTask",
        status_code=202,
        openapi_extra=body(),
        responses={
            200: answer("It has ended within `wait`.", examples.COMPLETED, _SENT),
            202: answer("It was published.", examples.QUEUED, _SENT),
            **problems(*_REFUSALS),
        },
    )
    add(
        "/tasks",
        tasks.search,
        operation_id="listTasks",
        responses={
            200: answer("A page of them.", examples.LIST),
            **problems(ProblemKind.FORBIDDEN),
        },
    )
    add(
        "/tasks/{id:task}/events",
        tasks.events,
        operation_id="watchTask",
        response_class=Response,
        responses={
            200: stream(),
            204: {"description": "The client was told all of it."},
            **problems(ProblemKind.NOT_FOUND, ProblemKind.TOO_MANY_AT_ONCE, ProblemKind.NOT_HERE),
        },
    )
    add(
        "/tasks/{id:task}/artifacts/{n}",
        tasks.artifact,
        operation_id="getArtifact",
        response_class=Response,
        status_code=307,
        responses={307: _THERE, **problems(ProblemKind.NOT_FOUND)},
    )
    add(
        "/tasks/{id:task}",
        tasks.find,
        operation_id="getTask",
        responses={200: answer("It.", examples.COMPLETED), **problems(ProblemKind.NOT_FOUND)},
    )
    add(
        "/tasks/{id:task}",
        tasks.cancel,
        "DELETE",
        operation_id="cancelTask",
        responses={
            200: answer("How it ended.", examples.CANCELLED),
            **problems(ProblemKind.FORBIDDEN, ProblemKind.NOT_FOUND),
        },
    )
    add(
        "/runtimes",
        catalogue.runtimes,
        operation_id="listRuntimes",
        responses={200: answer("All of them.", examples.RUNTIMES), **problems()},
    )
    add(
        "/runtimes/{name}/schema",
        catalogue.schema,
        operation_id="getRuntimeSchema",
        responses={
            200: answer("By kind, a JSON Schema.", examples.SCHEMA),
            **problems(ProblemKind.NOT_FOUND),
        },
    )
    add(
        "/checkpoints",
        catalogue.checkpoints,
        operation_id="listCheckpoints",
        responses={200: answer("All of them.", examples.CHECKPOINTS), **problems()},
    )
    _add_dead_letters(partial(add, role=Role.OPERATOR), letters)
    app.add_api_route("/readyz", catalogue.ready, include_in_schema=False)


def _add_dead_letters(add: Callable[..., None], letters: DeadLetterEndpoints) -> None:
    add(
        "/dead-letters",
        letters.search,
        operation_id="listDeadLetters",
        responses={
            200: answer("A page of them.", examples.DEAD_LETTERS),
            **problems(ProblemKind.FORBIDDEN),
        },
    )
    add(
        "/dead-letters/{queue}/{id:letter}",
        letters.find,
        operation_id="getDeadLetter",
        responses={
            200: answer("It.", examples.DEAD_LETTER),
            **problems(ProblemKind.FORBIDDEN, ProblemKind.NOT_FOUND),
        },
    )
    for name, endpoint, model, given, done in (
        ("redrive", letters.redrive, RedriveRequest, examples.REDRIVES, examples.REDRIVEN),
        ("purge", letters.purge, PurgeRequest, examples.PURGES, examples.PURGED),
    ):
        add(
            f"/dead-letters/{{queue}}/{name}",
            endpoint,
            "POST",
            operation_id=f"{name}DeadLetters",
            openapi_extra=body(model, given),
            responses={200: answer("What became of each.", done), **problems(*_LETTER_REFUSALS)},
        )


NATIVE = HttpApi(
    prefixes=("/v1/",), add_routes=add_routes, errors=ProblemDetails(), schemas=schemas
)
