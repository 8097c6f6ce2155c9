"""An event loop whose time passes only while nothing is ready: hours of it take a moment."""

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

_TICK = 1e-9
"""Seconds that a turn of the loop takes: timers fire early by less, and who waits on would spin."""


class _Selector(selectors.DefaultSelector):
    now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again: a wait has no deadline")
        self.now += max(timeout, 0.0) + _TICK
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop that waits for no clock; it begins at 0 seconds."""

    def __init__(self) -> None:
        self.clock = _Selector()
        self.faults: list[Mapping[str, Any]] = []
        super().__init__(self.clock)
        self.set_exception_handler(lambda _, context: self.faults.append(context))

    @override
    def time(self) -> float:
        return self.clock.now
