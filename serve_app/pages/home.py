# No `from __future__ import annotations` here: FastAPI reads the endpoints' annotations.
"""Home page at ``/``: what this is and where to go, for a browser and for a program."""

from typing import Annotated, Any

from fastapi import Header, Request, Response
from starlette.responses import JSONResponse

from models import strict_json
from models.task import Kind
from models.version import VERSION
from serve_app.pages.accept import wants_html
from serve_app.pages.html import answer, rendered
from serve_app.runtimes import Runtimes

_PLACES = {
    "api": "v1/tasks",
    "reference": "docs",
    "openapi": "openapi.json",
    "health": "healthz",
    "ready": "readyz",
}
_GRAPH = '{"kind": "pipeline", "content": GRAPH}'
_PICTURE = {"prompt": "a red circle on a blue background", "steps": 12}


class Home:
    """Endpoint of ``/``, for clients that do not know the API's paths."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._draws = bool(runtimes.able(Kind.TEXT_TO_IMAGE))

    async def __call__(
        self, request: Request, accept: Annotated[str, Header()] = "*/*"
    ) -> Response:
        """Answer with a page for a browser, with JSON for all others."""
        base = str(request.base_url)
        links = {name: f"{base}{path}" for name, path in _PLACES.items()}
        response: Response
        if wants_html(accept):
            curl = self._curl(base)
            response = answer(rendered("home.html", links=links, curl=curl, version=VERSION))
        else:
            response = JSONResponse({"name": "atelier", "version": VERSION, "links": links})
        response.headers["Vary"] = "Accept"
        # The host that was asked for stands in it, which is no answer for anybody else.
        response.headers["Cache-Control"] = "no-store"
        return response

    def _curl(self, base: str) -> str:
        """Write a command that makes a picture, or runs a graph if no runtime draws by prompts."""
        request_body: dict[str, Any] = {"kind": "text-to-image", "content": _PICTURE}
        body = strict_json.written(request_body) if self._draws else _GRAPH
        return f"curl -s '{base}v1/tasks?wait=30' \\\n  -H \"x-api-key: $KEY\" \\\n  -d '{body}'"
