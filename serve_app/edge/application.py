"""Edge: the same HTTP APIs behind API Gateway, without Ray.

The gateway has checked the key and counted the request. Nothing is heard of ingest here: there are
no events and no progress, and a cancel reaches a running task through the ledger.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mangum import Mangum
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from ingest.boards import FixedIngests
from ingest.wiring import Ports, wire
from models.errors import Unavailable
from models.event import Event
from models.live import Live, Pace
from models.ports import KeyStore
from models.report import Report
from models.role import Role
from models.runtimes import runtime_type
from models.settings import Settings
from models.settings.edge import EdgeConfig
from models.settings.groups import Throttle
from models.task import Kind
from serve_app.api import api
from serve_app.assembly.front import assemble_front
from serve_app.auth import Clock, Holder, Keys, TokenBucket
from serve_app.watching.feed import Feed, Intervals

# Ingest is never heard, so it is not waited for: the ledger is looked at instead.
_INTERVALS = Intervals(tick=0.5, ledger_check_alone=1, snapshot_wait=0, opening=math.inf)
_MARGIN = 5  # seconds before Lambda ends the function, for all but waiting
_UNCOUNTED = 1e9  # requests a second
_SILENT = "ingest is not heard here"


def make_handler(config: EdgeConfig, key_names: Mapping[str, str]) -> Mangum:
    """Make the function that Lambda calls; ``key_names`` has API keys' names by gateway id."""
    logging.getLogger("mangum").setLevel(logging.WARNING)  # one line for each request is enough
    settings = Settings.read(args=config.settings)
    return handler_over(settings, wire(settings), config, key_names)


def handler_over(
    settings: Settings, ports: Ports, config: EdgeConfig, key_names: Mapping[str, str]
) -> Mangum:
    """Make the function that Lambda calls, over any ports."""
    front = assemble_front(
        settings,
        ports,
        Feed(FixedIngests({"": SilentIngest()}), ports.ledger, _INTERVALS),
        keys=ApiGatewayKeys(config, key_names, ports.keys),
        kinds_of_type=kinds_of_type,
        signs_callbacks=config.signs,
        longest_answer=max(1, settings.edge.timeout_seconds - _MARGIN),
    )
    text = ["text/", "application/"]  # else it would be sent in base64
    return Mangum(GatewayEvent(api(front)), lifespan="off", text_mime_types=text)


def kinds_of_type(name: str) -> frozenset[Kind]:
    """Find the kinds of task that a runtime type can do: for a third party's type, every kind."""
    known = runtime_type(name)
    return known.kinds if known else frozenset(Kind)


class GatewayEvent:
    """Middleware that takes the caller and the base of URLs from API Gateway's event."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = scope["aws.event"]["requestContext"]
        key_id = context["identity"].get("apiKeyId") or ""
        # Every x-api-key goes, or the client could name an id of its own beside the gateway's.
        others = [(name, value) for name, value in scope["headers"] if name != b"x-api-key"]
        headers = [*others, (b"x-api-key", key_id.encode())]  # from here on nobody has the key
        scope = {**scope, "headers": headers, "app_root_path": _base(context, scope["path"])}
        await self.app(scope, receive, send)


def _base(context: Mapping[str, Any], path: str) -> str:
    """Return the base path of URLs: the stage, or nothing behind a domain of the user's own."""
    stage = f"/{context['stage']}"
    whole: str = context["path"]  # has the stage, too, unless the domain is the user's own
    return stage if whole != path and f"{whole}/".startswith(f"{stage}/") else ""


class ApiGatewayKeys(Keys):
    """API keys that the gateway lets in, known by their ids there; the gateway throttles them."""

    def __init__(
        self,
        config: EdgeConfig,
        names: Mapping[str, str],
        store: KeyStore,
        *,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        """Take the names of the stack's keys by their gateway ids; the store has further keys."""
        super().__init__((), Throttle(), (store,), clock=clock, wall=wall)
        self._config = config
        self._names = names

    @override
    async def holder(self, key: bytes) -> Holder | None:
        """Find the holder of the key with this gateway id.

        A key that was added at the gateway by hand is named by its id, with the role artist.

        Raises:
            Unavailable: the key is not one of the stack's, and the store of others never answered.
        """
        if not key:
            return None
        if key.decode() not in self._names:
            await self._stored.refresh()
            if not self._stored.complete:
                raise Unavailable("the store of API keys does not answer")
        name, role, ends = self._known(key.decode())
        if ends is not None and ends.timestamp() <= self._wall():
            return None
        return Holder(name=name, role=role, bucket=TokenBucket(_UNCOUNTED, _UNCOUNTED))

    def _known(self, key_id: str) -> tuple[str, Role, datetime | None]:
        """Return name, role and end of a key."""
        for stored in self._stored.keys:
            for secret in stored.secrets:
                if secret.gateway == key_id:
                    return stored.name, stored.role, secret.expires
        name, config = self._names.get(key_id, key_id), self._config
        return name, config.roles.get(name, Role.ARTIST), config.expires.get(name)


class SilentIngest(Live):
    """Ingest where it cannot be reached; following it never ends, so that nobody tries again."""

    @override
    async def follow(self, follower: str) -> AsyncGenerator[Sequence[Event], None]:
        await asyncio.Event().wait()
        yield ()  # never reached; it makes this a generator

    @override
    async def watch(
        self, follower: str, more: Sequence[str], no_more: Sequence[str]
    ) -> Mapping[str, Sequence[Event]] | None:
        raise Unavailable(_SILENT)

    @override
    async def stop(self, report: Report) -> None:
        """Leave it to the worker that has the task: it reads the cancel in the ledger."""

    @override
    async def paces(self) -> Mapping[str, Pace]:
        raise Unavailable(_SILENT)
