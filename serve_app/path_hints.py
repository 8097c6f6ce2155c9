"""Hint for a client that asks for a path that does not exist."""

import difflib
from collections.abc import Sequence

from starlette.routing import BaseRoute, Match, Route

_ELSEWHERE = "The API is under /v1; GET / says where its description is."

_LONGEST = 80  # characters of a path that are compared
_ALIKE = 0.8


def hint(path: str, routes: Sequence[BaseRoute]) -> str:
    """Suggest the nearest path that exists, or the page that describes all of them."""
    known = [route for route in routes if isinstance(route, Route)]
    found = _versioned(path, known) or _nearest(path, known)
    return f"Did you mean {found}? {_ELSEWHERE}" if found else _ELSEWHERE


def _versioned(path: str, known: Sequence[Route]) -> str | None:
    """Find the path that was meant, if only ``/v1`` was left out."""
    scope = {"type": "http", "path": f"/v1{path}", "method": "GET"}
    found = (route.path_format for route in known if route.matches(scope)[0] is not Match.NONE)
    return next(found, None)


def _nearest(path: str, known: Sequence[Route]) -> str | None:
    paths = [route.path_format for route in known]
    # Cut, as its time grows with the square of the length, and anybody may ask.
    near = difflib.get_close_matches(path[:_LONGEST], paths, n=1, cutoff=_ALIKE)
    return near[0] if near else None
