"""Routes of the dialects, with the description of each for OpenAPI."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from serve_app.admission import API_KEY, Admission
from serve_app.context import Front
from serve_app.dialects.dialect import Dialect
from serve_app.dialects.rules import ParseContext
from serve_app.dialects.submission import Submission
from serve_app.dialects.v1alpha1 import V1ALPHA1
from serve_app.dialects.v1alpha2 import V1ALPHA2
from serve_app.gateway_errors import GatewayErrors
from serve_app.http_api import HttpApi
from serve_app.openapi import header
from serve_app.problems import Problem

_SLASHES = re.compile(r"/+(v1alpha[12])/*")


def add_routes(app: FastAPI, front: Front) -> None:
    """Add one operation for each dialect to an application."""
    context = ParseContext(
        runtimes=front.runtimes,
        output_bucket=front.output_bucket,
        max_payload_bytes=front.max_payload_bytes,
    )
    admission = Admission(keys=front.keys, wrong_keys=front.capacity.wrong_keys)
    for dialect in (V1ALPHA1, V1ALPHA2):
        submission = Submission(
            api=dialect.name,
            parse=partial(dialect.parse, context=context),
            submit=front.submit,
            admission=admission,
            bodies=front.capacity.bodies,
        )
        app.add_api_route(
            f"/{dialect.name}",
            submission.post,
            methods=["POST"],
            name=dialect.name,
            **_described(dialect),
        )
    app.add_middleware(Slashes)


class Slashes:
    """Middleware that takes doubled and trailing slashes, as clients of the reference send."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (matched := _SLASHES.fullmatch(scope["path"])):
            scope = {**scope, "path": f"/{matched[1]}"}
        await self.app(scope, receive, send)


class ContractErrors(GatewayErrors):
    """Form of the reference's errors, whose clients know 404 without a hint."""

    @override
    def not_found(self, request: Request, exc: HTTPException) -> Problem:
        return Problem.routed(exc)


def _described(dialect: Dialect) -> Mapping[str, Any]:
    """Describe an operation for OpenAPI."""
    body = {"schema": dialect.request, "examples": dialect.examples}
    content = {"required": True, "content": {"application/json": body}}
    text = {"application/json": {"schema": {"type": "string"}}}
    message = {"type": "object", "properties": {"message": {"type": "string"}}}
    message_content = {"application/json": {"schema": message}}
    later = {"headers": {"Retry-After": header("Seconds to wait before trying again.")}}
    return {
        "response_class": Response,
        "dependencies": [Security(API_KEY)],  # for OpenAPI alone: the operation checks the key
        "openapi_extra": {"requestBody": content},
        "responses": {
            200: {"content": {"application/json": {"schema": dialect.answer}}},
            400: {"description": "Refused, with the reason as plain text", "content": text},
            401: {"description": "No valid key", "content": message_content},
            403: {"description": "A key that may only read", "content": message_content},
            408: {
                "description": "The body did not come in time",
                "content": message_content,
                **later,
            },
            413: {"description": "A body over 10 MB", "content": message_content},
            429: {
                "description": "Too many requests with this key",
                "content": message_content,
                **later,
            },
            503: {"description": "Not accepted; try again", "content": {"text/plain": {}}, **later},
        },
    }


DIALECTS = HttpApi(prefixes=("/v1alpha",), add_routes=add_routes, errors=ContractErrors())
