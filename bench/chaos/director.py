"""Director of a run: lets the mishaps of a timetable happen when they are due."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from bench.chaos.platform import Platform
from bench.chaos.rules import Rule
from bench.chaos.timetable import RULES, VICTIMS, Due, Mishap

_POLL_SECONDS = 0.05
_TRIES = 5
_PAUSE_SECONDS = 2.0
_NODE_AWAY_SECONDS = 1.0
_VICTIM_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Happening:
    """Mishap that has happened."""

    mishap: Mishap
    begin: float
    """Seconds since 1970."""
    end: float
    detail: str


@dataclass(kw_only=True)
class Director:
    """Lets mishaps happen to a platform; several may last at once."""

    platform: Platform
    happenings: list[Happening] = field(default_factory=list)
    _rules: list[Rule] = field(default_factory=list)
    _away: list[str] = field(default_factory=list)

    async def direct(
        self, timetable: Sequence[Due], ended: Callable[[], int], is_over: Callable[[], bool]
    ) -> None:
        """Let each mishap happen when so many tasks have ended; return when all are over."""
        async with asyncio.TaskGroup() as group:
            for due in timetable:
                while ended() < due.after and not is_over():  # noqa: ASYNC110 - counted by a thread
                    await asyncio.sleep(_POLL_SECONDS)
                if is_over():
                    break
                group.create_task(self._happen(due))

    async def _happen(self, due: Due) -> None:
        begin = time.time()
        detail = await self._done(due)
        self.happenings.append(
            Happening(mishap=due.mishap, begin=begin, end=time.time(), detail=detail)
        )

    async def _done(self, due: Due) -> str:
        """Let a mishap happen to its end; return what it met."""
        services = ", ".join(due.services)
        match due.mishap:
            case Mishap.OUTAGE:
                await self._lasting(due.seconds, away=due.services)
                return services
            case mishap if mishap in RULES:
                await self._lasting(due.seconds, replace(RULES[mishap], services=due.services))
                return services
            case Mishap.REDEPLOY:
                return await self._tried(self.platform.deploy)
            case Mishap.KILL_NODE:
                return await asyncio.to_thread(self._renew_node)
            case mishap:
                return await asyncio.to_thread(self._kill, mishap, due.draw)

    async def _lasting(self, seconds: float, *rules: Rule, away: Collection[str] = ()) -> None:
        self._rules += rules
        self._away += away
        await self._set()
        await asyncio.sleep(seconds)
        for rule in rules:
            self._rules.remove(rule)
        for service in away:
            self._away.remove(service)
        await self._set()

    async def _set(self) -> None:
        await asyncio.to_thread(self.platform.proxy.set, tuple(self._rules), set(self._away))

    async def _tried(self, act: Callable[[], None]) -> str:
        """Act, some times where it fails: the controller may have been killed a moment ago."""
        for number in range(1, _TRIES + 1):
            try:
                await asyncio.to_thread(act)
            except Exception as exc:  # noqa: BLE001 - whatever it is, the report tells of it
                failure = f"failed: {type(exc).__name__}"
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return f"at try {number}"
        return failure

    def _renew_node(self) -> str:
        killed = self.platform.kill_node()
        time.sleep(_NODE_AWAY_SECONDS)
        self.platform.start_node()
        return f"raylet {killed}"

    def _kill(self, mishap: Mishap, draw: float) -> str:
        """Kill the victims of a mishap; wait for one where a kill before has left none.

        Raises:
            RuntimeError: there was none for long, so that the run shows less than it says.
        """
        end = time.monotonic() + _VICTIM_SECONDS
        while not (killed := self._killed(mishap, draw)):
            if time.monotonic() > end:
                raise RuntimeError(f"{mishap} found nobody in {_VICTIM_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        return f"{killed}"

    def _killed(self, mishap: Mishap, draw: float) -> Sequence[int]:
        match mishap:
            case Mishap.KILL_PROXY:
                return self.platform.kill_actor("ProxyActor")
            case Mishap.KILL_CONTROLLER:
                return self.platform.kill_actor("ServeController")
            case _:
                every = mishap is Mishap.KILL_ALL_REPLICAS
                return self.platform.kill(VICTIMS[mishap], draw, every=every)
