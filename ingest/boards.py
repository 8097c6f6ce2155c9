"""Boards of all ingest replicas as one: what is asked of each, and what their answers come to."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import TypeVar

from models.errors import Unavailable
from models.fleet import merged, weighted_mean
from models.live import Ingests, Live, Loaded, Pace
from models.report import Report

T = TypeVar("T")

_PACE_SECONDS = 1.0  # who asks takes the answers of the others after two
_STOP_SECONDS = 5.0
_WAIT_SECONDS = 0.5
"""Seconds for which a cancel waits for an ingest replica: one that hangs reads the ledger later."""


class FixedIngests(Ingests):
    """Ingest replicas that neither come nor go."""

    def __init__(self, there: Mapping[str, Live]) -> None:
        self._there = there

    @property
    def there(self) -> Mapping[str, Live]:
        return self._there

    async def change(self, known: Collection[str]) -> None:
        if set(known) == set(self._there):
            await asyncio.Event().wait()


@dataclass(eq=False)
class Boards:
    """Asks every ingest replica, since any of them may have a task."""

    ingests: Ingests
    _late: "dict[str, asyncio.Task[Unavailable | None]]" = field(default_factory=dict, init=False)
    """Stops, by the replica's name, that were not answered in time, and go on."""

    async def stop(self, report: Report) -> None:
        """Stop the runs of a task that ended so; one that hangs is waited for once.

        Raises:
            Unavailable: one that might have it did not answer within half a second.
        """
        with suppress(TimeoutError):  # then those are asked that are known
            async with asyncio.timeout(_WAIT_SECONDS):
                await self.ingests.look()
        there = self.ingests.there
        if not there:
            raise Unavailable("no ingest replica runs")
        stops = {
            name: asyncio.create_task(_outcome(partial(live.stop, report), _STOP_SECONDS))
            for name, live in there.items()
        }
        if asked := [stop for name, stop in stops.items() if name not in self._late]:
            await asyncio.wait(asked, timeout=_WAIT_SECONDS)
        outcomes = [self._settled(name, stop) for name, stop in stops.items()]
        if silent := next(filter(None, outcomes), None):
            raise silent

    def _settled(self, name: str, stop: "asyncio.Task[Unavailable | None]") -> Unavailable | None:
        """Return what went wrong with a stop; one that is not answered yet goes on."""
        if stop.done():
            return stop.result()

        def forget(ended: "asyncio.Task[Unavailable | None]") -> None:
            if self._late.get(name) is ended:
                del self._late[name]

        self._late[name] = stop
        stop.add_done_callback(forget)
        return Unavailable(f"an ingest replica did not answer within {_WAIT_SECONDS:g} s")

    async def paces(self) -> Mapping[str, Pace]:
        """Read the pace of each runtime, by name, over all replicas that answer.

        Raises:
            Unavailable: none answered.
        """
        answers, silent = await self._ask(lambda live: live.paces(), _PACE_SECONDS)
        if silent and not answers:
            raise silent
        names = dict.fromkeys(name for paces in answers for name in paces)
        return {name: _whole(paces[name] for paces in answers if name in paces) for name in names}

    async def _ask(
        self, question: Callable[[Live], Awaitable[T]], seconds: float
    ) -> tuple[Sequence[T], Unavailable | None]:
        """Ask all at once, for so many seconds; return the answers, and why one is missing."""
        there = self.ingests.there.values()
        if not there:
            return (), Unavailable("no ingest replica runs")
        outcomes = await asyncio.gather(
            *(_outcome(partial(question, live), seconds) for live in there)
        )
        silent = [each for each in outcomes if isinstance(each, Unavailable)]
        answers = [each for each in outcomes if not isinstance(each, Unavailable)]
        return answers, next(iter(silent), None)


async def _outcome(ask: Callable[[], Awaitable[T]], seconds: float) -> T | Unavailable:
    """Ask, for so many seconds; return the answer, or why there is none."""
    try:
        async with asyncio.timeout(seconds):
            return await ask()
    except Unavailable as exc:
        return exc
    except TimeoutError:
        return Unavailable(f"an ingest replica did not answer within {seconds:g} s")


def _whole(parts: Iterable[Pace]) -> Pace:
    """Add up the paces of one runtime at several ingest replicas."""
    paces = list(parts)
    supplies = [pace.supply for pace in paces if pace.supply]
    return Pace(
        leased=sum(pace.leased for pace in paces),
        running=sum(pace.running for pace in paces),
        seconds=weighted_mean((pace.seconds, pace.leased) for pace in paces),
        loaded=_newest(pace.loaded for pace in paces),
        demand=merged(pace.demand for pace in paces if pace.demand),
        supply=max(supplies, key=lambda supply: supply.beat, default=None),
    )


def _newest(parts: Iterable[Mapping[str, Loaded]]) -> Mapping[str, Loaded]:
    """Merge the checkpoints of replicas: of one that ran tasks of several ingests, the newest."""
    every = ((loaded.at, name, loaded) for part in parts for name, loaded in part.items())
    return {name: loaded for _, name, loaded in sorted(every, key=itemgetter(0))}
