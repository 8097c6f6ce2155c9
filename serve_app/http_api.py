"""HTTP API as a value: its paths, its operations and the form of its errors.

One application serves all of them; `serve_app.api` has the list.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import Match

from serve_app.context import Front
from serve_app.problems import Problem
from serve_app.request_head import HeadFault


class ErrorForm(ABC):
    """Form in which an HTTP API answers errors that none of its operations answers itself."""

    @abstractmethod
    def refused(self, request: Request, exc: Exception) -> Problem:
        """Make the answer to an error that an operation, a dependency or the router raised.

        It is a `Problem`, `HTTPException`, `RequestValidationError`, `Unavailable` or `Full`.
        """

    @abstractmethod
    def refused_head(self, fault: HeadFault) -> Problem:
        """Make the answer to a request whose head is at fault."""

    @abstractmethod
    def busy(self) -> Problem:
        """Make the answer to a request beyond those that are taken at once."""

    @abstractmethod
    def unexpected(self) -> Problem:
        """Make the answer to a request that failed by a mistake of ours."""


@dataclass(frozen=True, kw_only=True)
class HttpApi:
    """HTTP API: paths whose requests, answers and errors have one form."""

    prefixes: tuple[str, ...]
    """Prefixes of the paths where errors have this API's form; compared with the path and a slash,
    so that ``/v1/`` takes ``/v1``, too."""
    add_routes: Callable[[FastAPI, Front], None]
    """Function that adds the API's operations to the application."""
    errors: ErrorForm
    schemas: Callable[[], Mapping[str, Any]] = dict
    """Function that makes the OpenAPI schemas that no operation's signature names, by name."""

    def has(self, path: str) -> bool:
        """Tell whether a path is one of this API's."""
        return f"{path}/".startswith(self.prefixes)


def methods_at(request: Request) -> set[str]:
    """Collect the methods of all operations at a request's path; the router tells one's alone."""
    matching = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in matching for method in route.methods}
    return methods | {"HEAD"} if "GET" in methods else methods
