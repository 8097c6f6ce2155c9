"""Reception of request bodies, bounded in size, in time and in number."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request

from models.settings.limits import Bodies as Limits
from serve_app.slots import Full

LARGEST_BODY = 10 * 2**20
"""Bytes of the largest body, as at API Gateway."""


_Parsed = TypeVar("_Parsed")
_QUICK = 64 * 2**10
"""Bytes that are parsed in less time than a thread takes to start."""


async def parse_body(parse: Callable[[bytes], _Parsed], body: bytes) -> _Parsed:
    """Parse a body: a large one in a thread, so that the event loop goes on meanwhile."""
    return parse(body) if len(body) <= _QUICK else await asyncio.to_thread(parse, body)


class TooLarge(Exception):
    """Body that is larger than `LARGEST_BODY`."""


class TooSlow(Exception):
    """Body that did not come in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body was not here {seconds:g} s after the head of the request")


@dataclass(eq=False)
class _Reading:
    """Request body that is being received."""

    key: str
    deadline: asyncio.Timeout
    crowded_out: Full | None = field(default=None, init=False)

    def make_way(self, full: Full) -> None:
        """End the reading at the next turn of the event loop."""
        self.crowded_out = full
        if not self.deadline.expired():  # rescheduling one that has is an error
            self.deadline.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """Receiver of bodies; over a limit, the one that has stood still for the longest makes way."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._readings: dict[_Reading, None] = {}
        """Bodies that are being received, the one that has stood still for the longest first."""

    @property
    def count(self) -> int:
        """Bodies that are being received now."""
        return len(self._readings)

    async def read(self, request: Request, key: str) -> bytes:
        """Read the whole body of a request with the API key of this name, whatever it announced.

        Raises:
            TooLarge: the body is too large, and is not read to its end.
            TooSlow: the body did not come in time.
            Full: it stood still, and had to make way for another.
            ClientDisconnect: the client left.
        """
        _refuse_announced(request)
        reading = _Reading(key, asyncio.timeout(self.limits.seconds))
        try:
            # Listed within the block alone: a deadline can only be moved once it is entered.
            async with reading.deadline:
                self._make_room(key)
                return await self._received(request, reading)
        except TimeoutError:
            raise reading.crowded_out or TooSlow(self.limits.seconds) from None
        finally:
            self._readings.pop(reading, None)  # one that made way is off the list already

    async def _received(self, request: Request, reading: _Reading) -> bytes:
        self._readings[reading] = None
        body = bytearray()
        async for part in request.stream():
            body += part
            _refuse_large(len(body))
            if reading.crowded_out is None:  # else it is off the list
                self._readings[reading] = self._readings.pop(reading)  # now the last in line
        return bytes(body)

    def _make_room(self, key: str) -> None:
        by_key = Counter(reading.key for reading in self._readings)
        limits = self.limits
        if by_key[key] >= limits.per_key:
            self._end_stillest(key, Full("bodies", limits.per_key, of_key=True))
        elif len(self._readings) >= limits.in_all:
            # Whoever has the most gives one up, so that a key with few keeps them.
            ((most, _),) = by_key.most_common(1)
            self._end_stillest(most, Full("bodies", limits.in_all, of_key=False))

    def _end_stillest(self, key: str, full: Full) -> None:
        stillest = next(reading for reading in self._readings if reading.key == key)
        del self._readings[stillest]
        stillest.make_way(full)


def _refuse_announced(request: Request) -> None:
    announced = request.headers.get("content-length", "")
    # Sixteen digits are too large whatever they are, and of thousands Python makes no number.
    _refuse_large(int(announced[:16]) if announced.isdecimal() else 0)


def _refuse_large(size: int) -> None:
    if size > LARGEST_BODY:
        raise TooLarge
