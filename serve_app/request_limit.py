"""Limit of the requests under way at once, before anything else reads them."""

from collections.abc import Callable
from contextlib import ExitStack

from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.problems import Problem
from serve_app.slots import Full, Slots

# Refused under load, they would take a busy replica out of service and load the others more.
PROBES = frozenset({"/healthz", "/readyz"})
"""Paths of health checks, which have slots of their own."""
MOST_PROBES = 500


class RequestLimit:
    """Middleware that limits the requests under way, so that none waits in Serve's own queue."""

    def __init__(self, app: ASGIApp, most: int, problem: Callable[[str], Problem]) -> None:
        """Limit an application; ``problem`` makes the answer to a request too many at a path."""
        self.app = app
        self.problem = problem
        self._requests = Slots("requests", per_key=most, in_all=most)
        self._probes = Slots("probes", per_key=MOST_PROBES, in_all=MOST_PROBES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        app = self.app
        with ExitStack() as stack:
            try:
                stack.enter_context(self._room(scope).held("anybody"))
            except Full:
                app = self.problem(scope["path"]).response()
            await app(scope, receive, send)

    def _room(self, scope: Scope) -> Slots:
        return self._probes if scope["path"] in PROBES else self._requests
