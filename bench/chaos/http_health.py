"""Health of the HTTP API over time: how long it was away at a time, and how often it failed."""

import asyncio
import time
from collections.abc import Sequence

import httpx

from bench.chaos.stalls import Span

_PAUSE_SECONDS = 0.2
_TIMEOUT_SECONDS = 2.0


class HttpHealth:
    """Answers of the HTTP API, those to the load and those to a question of its own."""

    def __init__(self) -> None:
        self.refusals = 0
        """Requests of the load that were answered with a 5xx, or not at all."""
        self._away: list[Span] = []
        self._away_since: float | None = None

    @property
    def away(self) -> Sequence[Span]:
        """Times without one good answer, from a failure on; one that goes on lasts until now."""
        if self._away_since is None:
            return self._away
        return [*self._away, Span(self._away_since, time.time())]

    def note(self, *, good: bool) -> None:
        """Note the answer to a request of the load."""
        self.refusals += not good
        self._see(good=good)

    async def watch(self, http: httpx.AsyncClient) -> None:
        """Ask again and again until this is cancelled: while nothing is sent, too."""
        while True:
            try:
                answer = await http.get("/healthz", timeout=_TIMEOUT_SECONDS)
                self._see(good=answer.is_success)
            except httpx.HTTPError:
                self._see(good=False)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _see(self, *, good: bool) -> None:
        now = time.time()
        if not good:
            self._away_since = self._away_since or now
        elif self._away_since is not None:
            self._away.append(Span(self._away_since, now))
            self._away_since = None
