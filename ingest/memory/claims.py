"""Claims in memory."""

import time
from collections.abc import Callable
from dataclasses import replace

from models.ports import Claim, Claims

_DAY = 86_400  # seconds


class MemoryClaims(Claims):
    """Claims in a dictionary."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._claims: dict[str, Claim] = {}

    async def claim(self, key: str, value: str) -> Claim:
        if known := await self.find(key):
            return known
        claim = Claim(value=value, at=self.clock(), settled=False, new=True)
        self._claims[key] = replace(claim, new=False)
        return claim

    async def find(self, key: str) -> Claim | None:
        known = self._claims.get(key)
        return known if known and self.clock() < known.at + _DAY else None

    async def settle(self, key: str) -> None:
        if known := self._claims.get(key):
            self._claims[key] = replace(known, settled=True)

    async def abandon(self, key: str) -> None:
        if known := self._claims.get(key):
            self._claims[key] = replace(known, abandoned=True)
