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
        now, known = self.clock(), self._claims.get(key)
        if known and now < known.at + _DAY:
            return known
        claim = Claim(value=value, at=now, settled=False, new=True)
        self._claims[key] = replace(claim, new=False)
        return claim

    async def settle(self, key: str) -> None:
        if known := self._claims.get(key):
            self._claims[key] = replace(known, settled=True)

    async def abandon(self, key: str) -> None:
        if known := self._claims.get(key):
            self._claims[key] = replace(known, abandoned=True)
