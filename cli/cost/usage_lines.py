"""A line of an estimate: so much of something, and what it costs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from cli.cost.prices import Price, Prices

_CENT = Decimal("0.01")
HOURS = Decimal(730)
"""Of a month, as AWS counts."""
SECONDS = Decimal(3600)
"""Of an hour."""
GIB = Decimal(2**30)
MILLION = Decimal(10**6)


class Part(StrEnum):
    """What a line belongs to."""

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
    """A month's use of one thing that has a price."""

    part: Part
    service: str
    dimension: str
    quantity: Decimal
    """In the unit of the price."""
    why: str = ""
    """How the quantity comes about."""


@dataclass(frozen=True, kw_only=True)
class PricedLine:
    """A line with its price."""

    line: UsageLine
    price: Price

    @property
    def usd(self) -> Decimal:
        return self.line.quantity * self.price.usd


def priced(lines: Iterable[UsageLine], prices: Prices) -> tuple[PricedLine, ...]:
    """Each line with its price; lines of nothing are left out.

    Raises:
        Misused: there is no price of one.
    """
    return tuple(
        PricedLine(line=line, price=prices.of(line.service, line.dimension))
        for line in lines
        if line.quantity
    )


def total(items: Iterable[PricedLine]) -> Decimal:
    return sum((item.usd for item in items), Decimal())


def by_part(items: Sequence[PricedLine]) -> dict[Part, Decimal]:
    """What each part costs, in the order of `Part`."""
    there = {item.line.part for item in items}
    return {
        part: total(item for item in items if item.line.part is part)
        for part in Part
        if part in there
    }


def cents(usd: Decimal) -> Decimal:
    return usd.quantize(_CENT, ROUND_HALF_UP)
