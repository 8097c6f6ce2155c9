"""Faults of calls: lost, unanswered, made twice, delayed, late; processes that stand still."""

import asyncio
import inspect
from collections import defaultdict
from enum import StrEnum
from typing import Any

from models.errors import Unavailable


class Kind(StrEnum):
    LOST = "lost"
    """The call has no effect, and fails."""
    UNANSWERED = "unanswered"
    """The call has its effect, and fails."""
    REPEATED = "repeated"
    """The call has its effect twice, as when the SDK makes it again."""
    DELAYED = "delayed"
    """The call has its effect seven seconds later, also where nobody waits for it any more."""
    LATE = "late"
    """The call fails, and has its effect seven seconds later."""


_DELAY = 7.0
_WAY = 0.005
"""Seconds that a call takes, and its answer as well."""


class Process:
    """Process whose calls may have faults, that may stand still, and be killed."""

    def __init__(self) -> None:
        self._faults: defaultdict[str, list[Kind]] = defaultdict(list)
        self._goes = asyncio.Event()
        self._goes.set()
        self._late: set[asyncio.Task[Any]] = set()

    def arm(self, verb: str, kind: Kind) -> None:
        """Let the next call of a verb have a fault."""
        self._faults[verb].append(kind)

    def heal(self) -> None:
        """Forget the faults that no call has had yet."""
        self._faults.clear()

    def stand_still(self) -> None:
        """Make no call from now on, until it goes on; a killed process never does."""
        self._goes.clear()

    def go_on(self) -> None:
        self._goes.set()

    def port(self, port: Any) -> Any:
        """Return a port as this process sees it."""
        return _Port(port, self)

    async def call(self, verb: str, made: Any, *given: Any, **named: Any) -> Any:
        """Make a call of a port, with the fault that is due."""
        await self._goes.wait()
        fault = self._faults[verb].pop(0) if self._faults[verb] else None
        await asyncio.sleep(_WAY)
        if fault is Kind.LOST:
            raise Unavailable(f"{verb} was lost")
        if fault in (Kind.LATE, Kind.DELAYED):
            landing = asyncio.create_task(_land(made, *given, **named))
            self._late.add(landing)
            if fault is Kind.LATE:
                raise Unavailable(f"{verb} was late")
            answer = await asyncio.shield(landing)
        else:
            answer = await made(*given, **named)
        if fault is Kind.REPEATED:
            answer = await made(*given, **named)
        await asyncio.sleep(_WAY)
        await self._goes.wait()
        if fault is Kind.UNANSWERED:
            raise Unavailable(f"the answer of {verb} was lost")
        return answer


async def _land(made: Any, *given: Any, **named: Any) -> Any:
    await asyncio.sleep(_DELAY)
    return await made(*given, **named)


class _Port:
    def __init__(self, port: Any, process: Process) -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        async def call(*given: Any, **named: Any) -> Any:
            return await self._process.call(name, attribute, *given, **named)

        return call
