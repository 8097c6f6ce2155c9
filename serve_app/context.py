"""Context that every HTTP API is handed: the ports and values behind its endpoints."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ingest.cancel import Cancel
from ingest.dead_letters import DeadLetters
from models.ledger import Ledger
from models.ports import Claims, Objects
from models.runtimes.contents import Contents
from models.settings.groups import Runtime
from models.settings.limits import Limits
from models.settings.scaling import BoundedScaling
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.runtimes import Runtimes
from serve_app.submit import Submit
from serve_app.watching.feed import Feed

SignsCallbacks = Callable[[str], bool]
"""Function that tells whether callbacks are signed of tasks sent with the API key of a name."""


@dataclass(frozen=True, kw_only=True)
class Front:
    """Ports, values and services that the HTTP APIs share; the same for every request."""

    submit: Submit
    keys: Keys
    capacity: Capacity
    runtimes: Runtimes
    scaling: Callable[[Runtime], BoundedScaling]
    """Function that tells how a runtime's replicas follow its queue, with both bounds."""
    contents: Contents
    """Contents of tasks that each runtime accepts."""
    signs_callbacks: SignsCallbacks
    ledger: Ledger
    objects: Objects
    claims: Claims
    cancel: Cancel
    dead_letters: DeadLetters
    feed: Feed
    longest_answer: float | None = None
    """Seconds after which a response is cut on its way to the client; None: never, so that events
    can be streamed."""
    backlog: Callable[[str], Awaitable[int]]
    """Function that asks for the approximate number of messages in a runtime's queue."""
    checkpoints: Callable[[], Awaitable[Sequence[str]]]
    """Function that lists the names of the checkpoints that can be loaded."""
    output_bucket: str
    max_payload_bytes: int
    """Bytes of the largest task as JSON with escaped characters."""
    limits: Limits
    trusted_proxies: Sequence[str] = ()
    """Networks of proxies whose headers on a client's address and scheme are believed."""
    clock: Callable[[], float] = time.time
    """Wall clock, in seconds since 1970."""
