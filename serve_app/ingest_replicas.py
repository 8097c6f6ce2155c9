"""Ingest replicas as a front knows them: those that run, and those that drain."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Protocol

from models.errors import Unavailable
from models.live import Ingests, Live
from serve_app.presence import Presence

log = logging.getLogger("ray.serve.atelier.api")

_LOOK_SECONDS = 1.0
"""Seconds between two looks for those that drain, while a front follows."""


class Draining(Protocol):
    """Way to the ingest replicas that Serve does not list any more; raises `Unavailable`."""

    async def names(self) -> Collection[str]:
        """Names of those that say that they drain."""

    async def find(self, name: str) -> Live | None:
        """Find the port to one; None once its process is gone."""

    async def forget(self, name: str) -> None:
        """Forget one that said so and is gone."""


class IngestReplicas(Ingests):
    """Ports to the replicas that run, by the router's word, and to those that drain.

    A replica that has left the router's list may drain, and is asked on until it is gone. One that
    left before this front began is known by what it says of itself.

    ``running`` makes the port to one that runs; ``look_seconds``: seconds between two looks.
    """

    def __init__(
        self,
        presence: Presence,
        running: Callable[[str], Live],
        draining: Draining,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._presence = presence
        self._make = running
        self._drains = draining
        self._look_seconds = look_seconds
        self._running: dict[str, Live] = {}
        self._left: set[str] = set()
        """Names of those that ran, do not any more, and are not known to be gone."""
        self._draining: dict[str, Live] = {}

    @property
    def there(self) -> Mapping[str, Live]:
        self._note()
        draining = self._draining.keys() - self._running.keys()
        # Another name: its stream as one that drains is not the one that it had before.
        return self._running | {f"{name}, draining": self._draining[name] for name in draining}

    async def look(self) -> None:
        self._note()
        try:
            said = set(await self._drains.names())
            names = sorted((self._left | said) - self._running.keys())
            ports = await asyncio.gather(*(self._drains.find(name) for name in names))
            for name, port in zip(names, ports, strict=True):
                if port is None:
                    self._left.discard(name)
                    if name in said:
                        await self._drains.forget(name)
        except Unavailable as exc:
            log.warning("draining_unknown", extra={"why": str(exc)})
            return
        found = {name: port for name, port in zip(names, ports, strict=True) if port is not None}
        self._draining = {name: self._draining.get(name, port) for name, port in found.items()}

    async def change(self, known: Collection[str]) -> None:
        while self.there.keys() == set(known):
            names = self._presence.names
            await self.look()
            if self.there.keys() != set(known):
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._presence.change(names)

    def _note(self) -> None:
        """Note which run by the router's word, and which have left."""
        names = self._presence.names
        gone = self._running.keys() - names
        self._left = (self._left | gone) - names
        for name in gone:
            del self._running[name]
        for name in names - self._running.keys():
            self._running[name] = self._make(name)
