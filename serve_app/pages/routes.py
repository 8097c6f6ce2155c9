"""Routes of the pages."""

from functools import cache

from fastapi import FastAPI, Response

from serve_app.context import Front
from serve_app.pages.home import Home
from serve_app.pages.html import answer, rendered
from serve_app.pages.reference import Reference


def add_pages(app: FastAPI, front: Front) -> None:
    """Add the pages to an application; none of them needs an API key."""

    @cache  # nothing of the request is in it
    def reference() -> str:
        return rendered("reference.html", of=Reference(app.openapi()))

    async def docs() -> Response:
        """Answer with the reference of the API."""
        return answer(reference())

    home = Home(front.runtimes)
    app.add_api_route("/", home, include_in_schema=False)
    app.add_api_route("/docs", docs, include_in_schema=False)
