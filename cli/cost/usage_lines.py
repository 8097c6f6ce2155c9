"""Usage lines of an estimate, and their prices."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from cli.cost.prices import Price, Prices

_CENT = Decimal("0.01")
HOURS = Decimal(730)
"""Hours of a month, as AWS counts."""
SECONDS = Decimal(3600)
"""Seconds of an hour."""
GIB = Decimal(2**30)
MILLION = Decimal(10**6)


class Part(StrEnum):
    """Part of the platform that a line belongs to."""

    GPUS = "GPU nodes"
    CLUSTER = "control plane"
    NODES = "system nodes"
    NETWORK = "network"
    API = "API"
    MESSAGES = "messages"
    LEDGER = "ledger"
    STORAGE = "storage"
    TRANSFER = "data out"
    FRONT = "front"
    WATCHING = "logs and alarms"


@dataclass(frozen=True, kw_only=True)
class UsageLine:
    """Monthly use of one thing that has a price."""

    part: Part
    service: str
    dimension: str
    quantity: Decimal
    """Amount in the price's unit."""
    why: str = ""
    """Explanation of the quantity."""


@dataclass(frozen=True, kw_only=True)
class PricedLine:
    """Usage line with its price."""

    line: UsageLine
    price: Price

    @property
    def usd(self) -> Decimal:
        return self.line.quantity * self.price.usd


def priced(lines: Iterable[UsageLine], prices: Prices) -> tuple[PricedLine, ...]:
    """Return the lines with their prices, without those of nothing.

    Raises:
        Misused: a line has no price.
    """
    return tuple(
        PricedLine(line=line, price=prices.of(line.service, line.dimension))
        for line in lines
        if line.quantity
    )


def total(items: Iterable[PricedLine]) -> Decimal:
    return sum((item.usd for item in items), Decimal())


def by_part(items: Sequence[PricedLine]) -> dict[Part, Decimal]:
    """Return the cost of each part, in the order of `Part`."""
    parts = {item.line.part for item in items}
    return {
        part: total(item for item in items if item.line.part is part)
        for part in Part
        if part in parts
    }


def cents(usd: Decimal) -> Decimal:
    return usd.quantize(_CENT, ROUND_HALF_UP)
