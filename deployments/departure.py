"""Departure of a replica: what becomes of its tasks once it is to go."""

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from models.errors import PlaceGone
from models.event import Update
from models.report import Stage

log = logging.getLogger("ray.serve.atelier.replica")

_LOOK_SECONDS = 1.0
_SURE = 2
"""Looks in a row that miss a replica before it is to go: while Serve configures a replica anew, or
its controller restarts, it does not count it either."""
_HAND_BACK_SECONDS = 5.0
"""Time that a replica needs to hand its tasks back before its node is gone."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """Signs of a replica's departure."""

    listed: bool | None = None
    """Flag: the replica is one of those that take tasks; None: nobody says so at present."""
    node_seconds: float | None = None
    """Seconds until its node is gone, infinite if nobody knows; None: the node stays."""


class Departure:
    """Hands back the tasks that a replica which is to go has not begun, and lets it end the others.

    It is to go when Serve no longer counts it among those that take tasks, or when its node is gone
    within ``stop_seconds``, since Serve then stops it, too. On a node that drains, what was begun
    has ``drain_seconds``, or less where the node is gone before, and is handed back then; elsewhere
    it ends, however long it takes.
    """

    def __init__(
        self,
        signs: Callable[[], Awaitable[Signs]],
        *,
        stop_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._signs = signs
        self._stop_seconds = stop_seconds
        self._drain_seconds = drain_seconds
        self._was_counted = False
        """Flag: Serve has counted the replica among those that take tasks; at first it does not."""
        self._missed = 0
        self._fails = False
        self._leaves = False
        self._drained: float | None = None
        """Moment at which what was begun is handed back, by the loop's clock."""
        self._limits: dict[asyncio.Timeout, bool] = {}
        """Limits of the waits for updates, and whether their task was begun."""

    async def watch(self) -> None:
        """Look for signs each second, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Look for signs once, and act on them; without an answer nothing changes."""
        try:
            signs = await self._signs()
        except Exception as exc:  # noqa: BLE001 - whatever it is, the next look may find more
            if not self._fails:
                log.warning("departure_unknown", extra={"why": repr(exc)})
            self._fails = True
            return
        self._fails = False
        leaves = self._is_to_go(signs)
        if leaves and not self._leaves:
            log.info("replica_departs", extra={"node_seconds": signs.node_seconds})
        self._leaves = leaves
        if not leaves or signs.node_seconds is None:
            self._drained = None
        else:
            self._drained = self._earlier(signs.node_seconds)
        for limit, begun in self._limits.items():
            if not limit.expired():
                limit.reschedule(self._end(begun=begun))

    async def bounded(self, updates: AsyncGenerator[Update, None]) -> AsyncGenerator[Update, None]:
        """Yield a run's updates, for as long as the replica may go on with it.

        Raises:
            PlaceGone: the replica is to go, and has not begun it or may not end it.
        """
        self._was_counted = True  # or there would be no task
        begun = False
        async with aclosing(updates):
            while (update := await self._next(updates, begun=begun)) is not None:
                begun = begun or update is Stage.RUNNING
                yield update

    async def _next(self, updates: AsyncGenerator[Update, None], *, begun: bool) -> Update | None:
        limit = asyncio.timeout_at(self._end(begun=begun))
        try:
            async with limit:
                self._limits[limit] = begun
                return await anext(updates, None)
        except TimeoutError:
            if not limit.expired():  # the run's own
                raise
            raise PlaceGone("its replica goes away") from None
        finally:
            self._limits.pop(limit, None)

    def _is_to_go(self, signs: Signs) -> bool:
        if signs.listed is not None:
            # Looks from before it was first counted say nothing.
            misses = self._was_counted and not signs.listed
            self._missed = self._missed + 1 if misses else 0
            self._was_counted |= signs.listed
        sure = _SURE if signs.node_seconds is None else 1
        node_seconds = math.inf if signs.node_seconds is None else signs.node_seconds
        return self._missed >= sure or node_seconds < self._stop_seconds

    def _earlier(self, node_seconds: float) -> float:
        """Return the moment at which what was begun is handed back; it never gets later."""
        left = min(self._drain_seconds, max(node_seconds - _HAND_BACK_SECONDS, 0))
        moment = asyncio.get_running_loop().time() + left
        return moment if self._drained is None else min(self._drained, moment)

    def _end(self, *, begun: bool) -> float | None:
        """Return the moment at which a task is handed back; None: it is not."""
        if begun or not self._leaves:
            return self._drained
        return asyncio.get_running_loop().time()
