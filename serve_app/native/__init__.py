"""The native API, ``/v1``: tasks submitted, found, watched and cancelled over HTTP."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ingest.cancel import Cancel
from models.ports import Claims, Ledger, Objects
from models.runtimes.contents import Contents
from models.settings import Settings
from serve_app.auth import Keys
from serve_app.capacity import Capacity
from serve_app.dialects.rules import Kinds
from serve_app.native.feed import Feed
from serve_app.submit import Submit

Signs = Callable[[str], bool]
"""Whether something signs the callbacks of tasks sent with the API key of this name."""


@dataclass(frozen=True, kw_only=True)
class Native:
    """What the HTTP API works with."""

    settings: Settings
    submit: Submit
    keys: Keys
    capacity: Capacity
    kinds: Kinds
    signs: Signs
    contents: Contents
    """Contents of tasks that each runtime accepts."""
    ledger: Ledger
    objects: Objects
    claims: Claims
    cancel: Cancel
    feed: Feed
    longest_answer: float | None = None
    """Seconds after which the way to the client is cut; None: never, so that events can be sent."""
    backlog: Callable[[str], Awaitable[int]]
    """About how many tasks wait in the queue of the runtime of this name."""
    checkpoints: Callable[[], Awaitable[Sequence[str]]]
    """The checkpoints that there are."""
    clock: Callable[[], float] = time.time
